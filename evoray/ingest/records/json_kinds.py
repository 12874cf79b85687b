"""JSONL that pyarrow does not read: which line is the reason, in words of the file's own."""

import json
from collections.abc import Iterator
from typing import IO, Any

from evoray.errors import DataError
from evoray.runtime.reading import kind_of, refuse_constant, said, shown

Path = tuple[str, ...]
"""Keys from the record to a value; ``[]`` into a list."""


def check_lines(file: IO[bytes], origin: str) -> None:
    """Every line for itself; null is of any kind.

    Raises:
        DataError: a line is no JSON, or holds another kind of value where an earlier one holds one.
    """
    seen: dict[Path, tuple[str, int]] = {}
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=refuse_constant)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{shown(origin)}: no jsonl, for line {number} is no record by itself ({said(error)}). Write it in "
                "UTF-8, a record a line."
            ) from None
        for path, kind in _kinds(record, ()):
            before, first = seen.setdefault(path, (kind, number))
            if before != kind:
                raise DataError(
                    f"{shown(origin)}: column {_named(path)} holds {before} in line {first}, and {kind} in line "
                    f"{number}. A column is of one kind: {_remedy({before, kind})}."
                )


def _kinds(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Of all that a value holds, and, below the record itself, of the value."""
    if path and value is not None:
        yield path, kind_of(value)
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _kinds(one, (*path, name))
    if isinstance(value, list):
        for one in value:
            yield from _kinds(one, (*path, "[]"))


def _named(path: Path) -> str:
    lists = " (inside its lists)" if "[]" in path[1:] else ""
    return shown(".".join(one for at, one in enumerate(path) if at == 0 or one != "[]"), 80) + lists


def _remedy(kinds: set[str]) -> str:
    if "a list" in kinds:
        return "write a list in every record, [3] for a single 3"
    if "an object" in kinds:
        return "write an object in every record, or give its fields columns of their own"
    if "a text" in kinds:
        return 'write all of them in quotes ("3"), or none'
    return "write numbers in every record, 1 for true and 0 for false"
