"""Columns that divide a list into train and test: asked about where both are here, and filtered by ``--only``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from evoray.errors import ConfigError, DataError
from evoray.ingest.labels.columns import Asked, listed, plain, position
from evoray.ingest.labels.filenames import FileNames
from evoray.runtime.reading import shown

_NAMES = """
    split splits subset set partition partitions phase usage datasplit dataset datasettype traintest traintestsplit
    trainvaltest trainval istrain istraining istrainingimg istrainingimage istrainimage train training istest test
    istestimage isval isvalid isvalidation val valid validation evalstatus evaluationstatus evalpartition holdout
"""
NAMES = frozenset(_NAMES.split())
"""Names of columns that say which part an image is of."""
_WORDS = "train training trn tr trainval val valid validation dev test testing tst eval holdout query"
WORDS = frozenset(_WORDS.split())
_FLAGS = "0 1 2 0.0 1.0 2.0 true false yes no t f y n public private"
FLAGS = frozenset(_FLAGS.split())


def is_split(name: str, values: set[str]) -> bool:
    """Whether a column says which part an image is of: by its name and values, or by values that say nothing else."""
    values = {value.casefold() for value in values} - {""}
    if plain(name) in NAMES:
        return bool(values) and values <= WORDS | FLAGS
    return len(values) > 1 and values <= WORDS


def divided(
    path: Path, names: Sequence[str], rows: Sequence[tuple[int, list[str]]], file: int, others: Sequence[int],
    files: FileNames, asked: Asked,
) -> Sequence[int]:  # fmt: skip
    """The rows that count.

    Raises:
        DataError: images of several parts are here, and which of them is meant is not said; or there are none such.
    """
    if asked.only is not None:
        return _only(path, names, rows, asked.only)
    for at in others:
        if not is_split(names[at], {cells[at] for _, cells in rows[:5000]}):
            continue
        counts = Counter(cells[at] for _, cells in rows if files.resolve(cells[file])[0])
        if len(counts) > 1 and is_split(names[at], set(counts)):
            said = ", ".join(f"{shown(value, 30) or '(empty)'}: {count}" for value, count in counts.most_common(6))
            one = counts.most_common(1)[0][0]
            every = ",".join(list(counts)[:6])
            raise DataError(
                f"{shown(path)}: the column {shown(names[at], 60)} divides the images that are here ({said}). Say "
                f"which count, such as --only {shown(names[at], 60)}={shown(one, 30)}; for all of them --only "
                f"{shown(names[at], 60)}={shown(every, 120)}."
            )
    return range(len(rows))


def _only(path: Path, names: Sequence[str], rows: Sequence[tuple[int, list[str]]], only: str) -> list[int]:
    column, sign, wanted = only.partition("=")
    if not sign or not column.strip():
        raise ConfigError(f"--only {shown(only, 80)}: give a column and its values, such as --only split=train,val.")
    at = position(names, column, "--only", shown(path))
    values = {_same(value) for value in wanted.split(",")}
    found = [row for row, (_, cells) in enumerate(rows) if _same(cells[at]) in values]
    there = Counter(cells[at] for _, cells in rows)
    if absent := values - set(map(_same, there)):
        raise DataError(
            f"{shown(path)}: --only {shown(only, 80)}: no {listed(sorted(absent), 3)} in the column "
            f"{shown(names[at], 60)}, which holds {listed([value for value, _ in there.most_common(6)])}."
        )
    return found


def _same(value: str) -> str:
    """Without case and blanks; ``1.0`` is ``1``."""
    value = value.strip().casefold()
    return value.removesuffix(".0") if value.removesuffix(".0").isdecimal() else value
