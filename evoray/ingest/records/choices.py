"""Questions with choices: a column of each question, of its choices (a list), and of which one is right."""

from typing import Any

import numpy as np
import pyarrow as pa

from evoray.data.records import Column, Ragged, Values
from evoray.errors import ConfigError, DataError
from evoray.ingest.records.vectors import words
from evoray.ingest.records.writing import Gathered, Wanted
from evoray.runtime.reading import shown
from evoray.tasks.text.batches import TOKENS
from evoray.tasks.text.multiple_choice import ANSWER, CHOICE_BYTES, PARTS

QUESTION, LIST, RIGHT = "question", "choices", "answer"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def chosen(table: pa.Table, wanted: Wanted, origin: str) -> Gathered:
    """``--input QUESTION --input CHOICES --target ANSWER``, or columns that are called so."""
    from evoray.ingest.records.texts import reader_for

    question, listed = wanted.inputs if len(wanted.inputs) == 2 else (QUESTION, LIST)
    right = wanted.targets[0] if wanted.targets else RIGHT
    lacking = [name for name in (question, listed, right) if name not in table.column_names]
    if lacking or len(wanted.inputs) not in (0, 2) or len(wanted.targets) > 1:
        known = ", ".join(shown(name, 40) for name in table.column_names[:12])
        raise ConfigError(
            f"--task {wanted.task}: name the column of the question and that of its choices with --input, in this "
            f"order, and that of the right one with --target; {origin} has {known}."
        )
    questions, choices = words(table, question, origin), _lists(table.column(listed), listed, origin)
    answers = [
        _number(value, choices[row], f"{origin}: column {shown(right)}, record {row}")
        for row, value in enumerate(table.column(right).to_pylist())
    ]
    reader = reader_for(wanted.config, wanted.truncate, wanted.task)
    found = [
        reader.read_choices(*one, f"{origin}, record {row}")
        for row, one in enumerate(zip(questions, choices, strict=True))
    ]
    columns = {name: Column(type="int32") for name in (TOKENS, PARTS, CHOICE_BYTES)}
    most = max(map(len, choices))
    values: dict[str, Values] = {
        TOKENS: Ragged.of([[token for part in parts for token in part] for parts in found], "int32"),
        PARTS: Ragged.of([_filled([len(part) for part in parts], most + 1) for parts in found], "int32"),
        CHOICE_BYTES: Ragged.of([_filled([len(one.encode()) for one in some], most) for some in choices], "int32"),
        ANSWER: np.array(answers, dtype=np.int64),
    }
    columns[ANSWER] = Column(type="int64", shape=())
    read = {TOKENS: [question, listed], ANSWER: [right], **reader.recorded}
    names = [f"record/{row}" for row in range(len(found))]
    return Gathered(wanted.task, columns, values, ANSWER, names, tuple(LETTERS[:most]), read, sort=TOKENS)


def _lists(column: pa.ChunkedArray, name: str, origin: str) -> list[list[str]]:
    found = column.to_pylist()
    for row, one in enumerate(found):
        where = f"{origin}: column {shown(name)}, record {row}"
        if not isinstance(one, list) or not all(isinstance(choice, str) and choice.strip() for choice in one):
            raise DataError(
                f"{where}: no list of texts. Give choices as JSONL or Parquet has lists, none of them empty."
            )
        if not 2 <= len(one) <= len(LETTERS):
            raise DataError(f"{where}: {len(one)} choices; there may be 2 to {len(LETTERS)}.")
    lists: list[list[str]] = found
    return lists


def _filled(lengths: list[int], count: int) -> list[int]:
    return lengths + [0] * (count - len(lengths))


def _number(value: Any, choices: list[str], where: str) -> int:
    """The right one by its number from 0, its letter, or its text; DataError where it is none or several of these."""
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value < len(choices):
            return value
        raise DataError(f"{where}: the answer {value}, and there are {len(choices)} choices, counted from 0.")
    if isinstance(value, str):
        if choices.count(value) == 1:
            return choices.index(value)
        letter = value.strip().upper()
        if value not in choices and len(letter) == 1 and letter in LETTERS[: len(choices)]:
            return LETTERS.index(letter)
    raise DataError(
        f"{where}: the answer {shown(value, 60)} is no choice. Give its number counted from 0, its letter, or its text."
    )
