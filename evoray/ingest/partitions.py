"""Folders that say a column's value, ``label=cat/part-0.parquet``, as Hive, Spark and Arrow's datasets part tables."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from evoray.ingest.labels.columns import LABELS, plain

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


def values_of(folders: Sequence[str]) -> list[str] | None:
    """``cat`` and ``dog`` of ``label=cat`` and ``label=dog``; None where not all folders say one column of labels."""
    parts = [folder.partition("=") for folder in folders]
    same = len({key for key, _, _ in parts}) == 1 and plain(parts[0][0]) in LABELS
    return [unquote(value) for _, _, value in parts] if same and all(value for _, _, value in parts) else None


def columns_of(files: Sequence[Path]) -> list[str]:
    """The columns that the folders above every one of the files name."""
    found = [partition_of(path) for path in files]
    return [key for key in reversed(found[0]) if all(key in one for one in found)] if found else []
