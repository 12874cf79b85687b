"""Folders that say a column's value, ``label=cat/part-0.parquet``, as Hive, Spark and Arrow's datasets part tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

NOTHING = "__HIVE_DEFAULT_PARTITION__"
"""What stands for null."""


def partition_of(path: Path) -> dict[str, str | None]:
    """What the folders directly above a file say, by the columns' names."""
    found: dict[str, str | None] = {}
    for part in reversed(path.parts[:-1]):
        key, sign, value = part.partition("=")
        if not (sign and key):
            break
        found[unquote(key)] = None if value == NOTHING else unquote(value)
    return found


def columns_of(files: Sequence[Path]) -> list[str]:
    """The columns that the folders above every one of the files name."""
    found = [partition_of(path) for path in files]
    return [key for key in reversed(found[0]) if all(key in one for one in found)] if found else []
