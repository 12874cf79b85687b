"""Prompts to be answered: a column of texts or of chats, and all of each row beside it for the reward to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evoray.config import load_config
from evoray.data.records import Column, Ragged, Values
from evoray.errors import ConfigError, DataError
from evoray.ingest.records.vectors import columns_named, words
from evoray.ingest.records.writing import Gathered, Wanted
from evoray.runtime.auto import given
from evoray.runtime.reading import reason_of, shown
from evoray.tasks.generation.fitting import LONGEST, TEMPLATE
from evoray.tasks.generation.task import NUMBER, PROMPT, RECORD, Generation
from evoray.tasks.text.batches import TOKENS

if TYPE_CHECKING:
    from evoray.ingest.records.texts import Reader

PROMPTS = ("prompt", "messages", "question", "input", "text")
"""Names of columns that say what they are, where nobody names one; the first that is there."""
Message = Mapping[str, Any]


def prompted(table: pa.Table, wanted: Wanted, origin: str) -> Gathered:
    """``--input PROMPT``: texts, or lists of messages ``{"role", "content"}``.

    Messages are written by the tokenizer's chat template, with the beginning of an answer behind them. So is a text,
    as a user's message, where the tokenizer has a template, unless ``task.chat`` says otherwise; else it is taken as
    it is.
    """
    from evoray.data.text.tokenizer import template_digest
    from evoray.ingest.records.texts import reader_for  # torch: ingest of pictures does not wait for it

    prompt = _column(table, wanted, origin)
    reader = reader_for(wanted.config, wanted.truncate, wanted.task)
    if wanted.truncate:
        raise ConfigError("--truncate: what is cut would be a prompt's end, where the answer begins. Leave it out.")
    settings = {} if wanted.config is None else load_config(wanted.config).task.settings
    chats = _chats(table.column(prompt), prompt, origin)
    as_chat = _is_chat(chats is not None, settings.get("chat", "auto"), reader, origin)
    texts = words(table, prompt, origin) if chats is None else [str(one[-1]["content"]) for one in chats]
    _check_asked(texts, prompt, origin)
    asked = chats or [[{"role": "user", "content": text}] for text in texts]
    tokens = [
        _tokens(reader, asked[row] if as_chat else texts[row], f"{origin}, record {row}") for row in range(len(texts))
    ]
    longest = _longest(tokens, reader, settings, origin)
    columns = {TOKENS: Column(type="int32"), NUMBER: Column(type="int64", shape=())}
    columns |= {name: Column(type="string") for name in (PROMPT, RECORD)}
    values: dict[str, Values] = {
        TOKENS: Ragged.of(tokens, "int32"),
        PROMPT: texts,
        RECORD: _records(table, origin),
        NUMBER: np.arange(len(texts), dtype=np.int64),
    }
    read = {TOKENS: [prompt], **reader.recorded, "chat": as_chat, LONGEST: longest}
    if as_chat:
        read[TEMPLATE] = template_digest(reader.own)
    names = [f"record/{row}" for row in range(len(texts))]
    return Gathered(wanted.task, columns, values, NUMBER, names, (), read, sort=TOKENS)


def _column(table: pa.Table, wanted: Wanted, origin: str) -> str:
    if wanted.targets:
        raise ConfigError(
            f"--target: task {wanted.task} has none. Each record keeps all its columns, and the reward is given them: "
            "leave it out."
        )
    named = columns_named(table, wanted.inputs, "--input", origin) if wanted.inputs else []
    found = named or [name for name in PROMPTS if name in table.column_names][:1]
    if len(found) != 1:
        known = ", ".join(shown(name, 40) for name in table.column_names[:12])
        raise ConfigError(f"{origin}: which column is the prompt? Name one with --input; there are {known}.")
    return found[0]


def _chats(column: pa.ChunkedArray, name: str, origin: str) -> list[list[Message]] | None:
    """Lists of messages; None where the column holds something else.

    Raises:
        DataError: a list without a message, or one whose messages have no role and text.
    """
    if not pa.types.is_list(column.type) and not pa.types.is_large_list(column.type):
        return None
    found: list[list[Message]] = column.to_pylist()
    for row, one in enumerate(found):
        sound = bool(one) and all(
            isinstance(message, dict) and all(isinstance(message.get(key), str) for key in ("role", "content"))
            for message in one
        )
        if not sound:
            raise DataError(
                f"{origin}: column {shown(name)}, record {row} (the first is 0): no chat. Give a list of at least one "
                '{"role": "user", "content": "…"}.'
            )
    return [[{key: value for key, value in one.items() if value is not None} for one in some] for some in found]


def _check_asked(texts: list[str], name: str, origin: str) -> None:
    """texts: prompts, or what is said last in each chat. DataError where one asks nothing."""
    for row, text in enumerate(texts):
        if not text.strip():
            raise DataError(
                f"{origin}: column {shown(name)}, record {row} (the first is 0): its prompt is "
                f"{'white space alone' if text else 'empty'}, which asks nothing. Fill it, or leave the record out."
            )


def _is_chat(are_chats: bool, asked: Any, reader: Reader, origin: str) -> bool:
    """Whether the tokenizer's template writes the prompts."""
    has = bool(getattr(reader.own, "chat_template", None))
    wanted = given(asked)
    if are_chats and wanted is False:
        raise ConfigError(f"task.chat = false: {origin} holds chats, which only a chat template writes. Leave it out.")
    if not has and (are_chats or wanted):
        raise ConfigError(
            f"{origin}: its prompts are to be written as chats, and the parent's tokenizer has no chat template. Take "
            "an instruct model's folder, or give texts (task.chat = false)."
        )
    return has if wanted is None else bool(wanted)


def _tokens(reader: Reader, asked: Any, where: str) -> list[int]:
    if isinstance(asked, str):
        found: list[int] = reader.opened(asked)
    else:
        try:
            text = reader.own.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # of the template's own
            raise DataError(f"{where}: the parent's chat template cannot write it ({reason_of(error)}).") from None
        found = reader.plain(text)
    if not found:
        raise DataError(f"{where}: no token in its prompt. Leave the record out.")
    return found


def _longest(tokens: list[list[int]], reader: Reader, settings: Mapping[str, Any], origin: str) -> list[Any]:
    """[tokens, record] of the longest prompt. DataError where it leaves the parent no room for an answer."""
    new = settings.get("max_new_tokens", Generation().max_new_tokens)
    row = max(range(len(tokens)), key=lambda one: len(tokens[one]))
    if reader.context is not None and len(tokens[row]) + new > reader.context:
        long = sum(len(one) + new > reader.context for one in tokens)
        first = next(at for at, one in enumerate(tokens) if len(one) + new > reader.context)
        more = f", and {long - 1} more are too long" if long > 1 else ""
        raise DataError(
            f"{origin}, record {first}: its prompt has {len(tokens[first])} tokens, and with {new} new ones "
            f"(task.max_new_tokens) the parent's {reader.context} are too few{more}. Shorten it, lower "
            "task.max_new_tokens, or leave the record out."
        )
    return [len(tokens[row]), f"record/{row}"]


def _records(table: pa.Table, origin: str) -> list[str]:
    """Every row as JSON."""
    found = []
    for row, one in enumerate(table.to_pylist()):
        try:
            found.append(json.dumps(one, ensure_ascii=False, default=str))
        except (TypeError, ValueError) as error:
            raise DataError(f"{origin}, record {row}: it cannot be written as JSON ({reason_of(error)}).") from None
    return found
