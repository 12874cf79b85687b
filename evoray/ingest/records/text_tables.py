"""Rows of a table as records of text: which columns are the text and the answer, and what they become."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from evoray.data.records import Column, Ragged, Values
from evoray.errors import ConfigError, DataError
from evoray.ingest.cells.truth import one_spelling, unclear
from evoray.ingest.records.choices import chosen
from evoray.ingest.records.prompts import prompted
from evoray.ingest.records.vectors import columns_named, words
from evoray.ingest.records.writing import Gathered, Wanted
from evoray.runtime.reading import shown
from evoray.tasks.text.batches import KINDS, TOKENS
from evoray.tasks.text.language_modelling import BYTES

LABELS = ("label", "labels", "class", "target")
TEXTS = ("text", "sentence", "content")
"""Names of columns that say what they are, where nobody names one."""


def classified(table: pa.Table, wanted: Wanted, origin: str) -> Gathered:
    """A text, or two, and its class: a word, a whole number or a switch."""
    from evoray.ingest.records.texts import reader_for  # torch: ingest of pictures does not wait for it

    targets = named(table, wanted.targets, LABELS, "--target", origin)
    inputs = named(table, wanted.inputs, TEXTS, "--input", origin)
    if len(targets) != 1 or len(inputs) > 2 or targets[0] in inputs:
        raise ConfigError(
            f"--task {wanted.task}: name one column as --target, and one or two others as --input (two texts are read "
            "as a pair)."
        )
    names, note = one_spelling(labels_of(table, targets[0], origin))
    if (twofold := unclear(dict.fromkeys(names))) is not None:
        name, why = twofold
        raise DataError(
            f"{origin}, record {names.index(name)} (the first is 0): the label {shown(name, 60)} in column "
            f"{shown(targets[0])} is {why}. Write each class in one way."
        )
    classes = _ordered(set(names))
    if len(classes) < 2:
        raise DataError(f"{origin}: column {shown(targets[0])} holds one class alone ({shown(classes[0])}).")
    reader = reader_for(wanted.config, wanted.truncate, wanted.task)
    texts = [words(table, name, origin) for name in inputs]
    found = reader.read(texts[0], texts[1] if len(texts) > 1 else None, origin)
    number = {name: at for at, name in enumerate(classes)}
    columns = {TOKENS: Column(type="int32"), "label": Column(type="int64", shape=())}
    values: dict[str, Values] = {
        TOKENS: Ragged.of(found.tokens, "int32"),
        "label": np.array([number[name] for name in names], dtype=np.int64),
    }
    read = {TOKENS: inputs, "label": targets, **reader.recorded, "cut": found.cut}
    if found.kinds is not None:
        read[KINDS] = inputs
        columns[KINDS], values[KINDS] = Column(type="uint8"), Ragged.of(found.kinds, "uint8")
    said = (note,) if note else ()
    return Gathered(wanted.task, columns, values, "label", sources(len(names)), classes, read, TOKENS, said)


def modelled(table: pa.Table, wanted: Wanted, origin: str) -> Gathered:
    """A text, all of it to be predicted."""
    from evoray.ingest.records.texts import reader_for

    inputs = named(table, wanted.inputs, TEXTS, "--input", origin)
    if len(inputs) > 1 or wanted.targets:
        raise ConfigError(f"--task {wanted.task}: name one column as --input; what is predicted is the text itself.")
    reader = reader_for(wanted.config, wanted.truncate, wanted.task)
    tokens, size, cut = reader.read_whole(words(table, inputs[0], origin), origin)
    columns = {TOKENS: Column(type="int32"), BYTES: Column(type="int64", shape=())}
    values: dict[str, Values] = {TOKENS: Ragged.of(tokens, "int32"), BYTES: np.array(size, dtype=np.int64)}
    read = {TOKENS: inputs, BYTES: inputs, **reader.recorded, "cut": cut}
    return Gathered(wanted.task, columns, values, BYTES, sources(len(size)), (), read, sort=TOKENS)


def named(table: pa.Table, given: tuple[str, ...], usual: tuple[str, ...], option: str, origin: str) -> list[str]:
    """The columns that are named, or the one that is called as usual. ConfigError where there is none such."""
    if given:
        return columns_named(table, given, option, origin)
    found = [name for name in usual if name in table.column_names]
    if len(found) != 1:
        known = ", ".join(shown(name, 40) for name in table.column_names[:12])
        raise ConfigError(f"{origin}: which column is meant? Name it with {option}; there are {known}.")
    return found


def labels_of(table: pa.Table, name: str, origin: str) -> list[str]:
    """A class a row, as a word. DataError where a cell is empty, or holds what names no class."""
    column = table.column(name)
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        if column.null_count:
            row = column.to_pylist().index(None)
            raise DataError(
                f"{origin}: column {shown(name)}, record {row} (the first is 0): empty. Fill it, or leave "
                "the record out."
            )
        return [str(value).lower() for value in column.to_pylist()]
    if pa.types.is_dictionary(kind):
        table = table.set_column(table.column_names.index(name), name, column.cast(kind.value_type))
    return words(table, name, origin)


def sources(count: int) -> list[str]:
    return [f"record/{row}" for row in range(count)]


def _ordered(names: set[str]) -> tuple[str, ...]:
    """Whole numbers by their size, words by their letters."""
    if all(name.lstrip("-").isdecimal() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))


OF_TEXT: Mapping[str, Callable[[pa.Table, Wanted, str], Gathered]] = {
    "text-classification": classified,
    "language-modelling": modelled,
    "multiple-choice": chosen,
    "generation": prompted,
}
"""Tasks whose records are text."""
