"""Columns that divide a list into train and test: asked about where both are here, and filtered by ``--only``."""

import csv
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
        if is_split(names[at], {cells[at] for _, cells in rows[:5000]}):
            _refuse_several(
                path, names[at], Counter(c[at] for _, c in rows if files.resolve(c[file])[0]), "that are here "
            )
    return range(len(rows))


def of_column(path: Path, name: str, values: Sequence[str], only: str | None) -> list[int] | None:
    """The same by one column of a table whose rows hold their images; None where all rows count."""
    if only is not None:
        return _only(path, [name], [(row, [value]) for row, value in enumerate(values)], only)
    _refuse_several(path, name, Counter(values), "")
    return None


def of_keys(
    origin: str, keys: Sequence[Mapping[str, str]], asked: str | None
) -> tuple[Sequence[int] | None, tuple[str, ...]]:
    """The records that ``--split`` names, by a key that each record has of its own (``{"split": "train"}``), and what
    is said of it; None where no key says a split.

    Raises:
        DataError: records of several splits, and which of them is meant is not said; or there is none called so.
    """
    for name in dict.fromkeys(name for one in keys for name in one):
        values = [one.get(name, "") for one in keys]
        counts = Counter(map(_same, values))
        if len(counts) < 2 or plain(name) not in NAMES or not is_split(name, set(counts)):
            continue
        said = ", ".join(f"{shown(value, 30) or '(empty)'}: {count}" for value, count in counts.most_common(6))
        if asked == "all":
            return range(len(keys)), (f"--split all: the records of every {shown(name, 60)} are taken ({said})",)
        wanted = _wanted(asked or "", counts)
        if asked is None or not wanted <= set(counts):
            there = sorted(value for value in counts if value)
            none = "" if asked is None else f"no {shown(asked, 60)!r} among them. "
            raise DataError(
                f"{shown(origin)}: the key {shown(name, 60)} of its records divides them ({said}). {none}Take one with "
                f"--split {shown(there[0], 60)}, several with --split {shown(','.join(there[:3]), 120)}, or all as one "
                "set with --split all."
            )
        rows = [row for row, value in enumerate(values) if _same(value) in wanted]
        left = f"{len(values) - len(rows)} records of others are left out"
        return rows, (f"splits taken, by the key {shown(name, 60)}: {listed(sorted(wanted))}; {left}",)
    return None, ()


def _refuse_several(path: Path, name: str, counts: Counter[str], which: str) -> None:
    if len(counts) < 2 or not is_split(name, set(counts)):
        return
    said = ", ".join(f"{shown(value, 30) or '(empty)'}: {count}" for value, count in counts.most_common(6))
    one = counts.most_common(1)[0][0]
    raise DataError(
        f"{shown(path)}: the column {shown(name, 60)} divides the images {which}({said}). Say "
        f"which count, such as --only {_answer(name, [one])}; for all of them --only {_answer(name, list(counts)[:6])}."
    )


def merged(given: Sequence[str]) -> str | None:
    """``--only`` said once or several times: the values of all, of one column.

    Raises:
        ConfigError: it names two columns.
    """
    columns = {plain(one.partition("=")[0]) for one in given}
    if len(columns) > 1:
        raise ConfigError(
            f"--only names {len(columns)} columns ({', '.join(shown(one, 60) for one in given[:3])}): give values of "
            "one. Write a list of the lines that count where they hang on several."
        )
    values = ",".join(one.partition("=")[2] for one in given if "=" in one)
    return None if not given else f"{given[0].partition('=')[0]}={values}" if "=" in given[0] else given[0]


def _answer(column: str, values: Sequence[str]) -> str:
    """``split=train,val``, quoted for the list and for the shell where that is needed."""
    quoted = [f'"{value.replace(chr(34), chr(34) * 2)}"' if "," in value else value for value in values]
    text = shown(f"{column}={','.join(quoted)}", 180)
    return text if re.fullmatch(r"[\w=,.:-]*", text) else shlex.quote(text)


def _wanted(text: str, there: Iterable[str]) -> set[str]:
    """The values that were asked for: with commas between, one with a comma in quotes, or alone as it is."""
    known = set(map(_same, there))
    values = {_same(value) for value in (next(csv.reader([text], skipinitialspace=True)) or [""])}
    return {_same(text)} if _same(text) in known and not values & known else values


def _only(path: Path, names: Sequence[str], rows: Sequence[tuple[int, list[str]]], only: str) -> list[int]:
    column, sign, wanted = only.partition("=")
    if not sign or not column.strip():
        raise ConfigError(f"--only {shown(only, 80)}: give a column and its values, such as --only split=train,val.")
    at = position(names, column, "--only", shown(path))
    there = Counter(cells[at] for _, cells in rows)
    values = _wanted(wanted, there)
    found = [row for row, (_, cells) in enumerate(rows) if _same(cells[at]) in values]
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
