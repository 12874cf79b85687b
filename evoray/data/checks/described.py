"""A shard directory in words, for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from evoray.data.manifest import Manifest
from evoray.data.record_manifest import RecordManifest
from evoray.data.records import Column
from evoray.errors import DataError
from evoray.runtime.reading import shown

COUNTED = ("source", "cut", "longest")
"""What is recorded of the files that were read, and not of how a column was made of them."""


def described(manifest: Manifest | RecordManifest) -> Iterator[tuple[str, str]]:
    """Rows of (what, how much)."""
    yield from _of_images(manifest) if isinstance(manifest, Manifest) else _of_records(manifest)
    yield "unreadable", str(len(manifest.unreadable))
    yield "digest", manifest.digest


def columns_of(manifest: Any) -> dict[str, str]:
    """Every column of records in words: its type, the shape of a value, and what it was read from; {} of images."""
    if not isinstance(manifest, RecordManifest):
        return {}
    columns = {name: _column(one) for name, one in manifest.columns.items()}
    read = {what: _read(how) for what, how in manifest.read.items() if what not in COUNTED}
    return {
        **{name: f"{words} of {read[name]}" if name in read else words for name, words in columns.items()},
        **{what: how for what, how in read.items() if what not in columns},
    }


def check_columns(select: Mapping[str, str], test: Mapping[str, str]) -> None:
    """Raises DataError where records of ``test`` are others than those of ``select`` (``columns_of`` each)."""
    for name in (*select, *test):
        own, other = (one.get(name, "missing") for one in (select, test))
        if own != other:
            raise DataError(
                f"data.test_path: {shown(name, 60)} is {shown(other)}, and of data.path {shown(own)}. Ingest both for "
                "one task and with the same --input and --target."
            )


def _of_images(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "images", f"{manifest.rows:,} of {'x'.join(str(side) for side in manifest.image_shape)}"
    yield "classes", _classes(manifest.classes)
    yield "shards", _shards(manifest)
    yield "transform", manifest.transform.model_dump_json()
    yield "decoder", manifest.decoder


def _of_records(manifest: RecordManifest) -> Iterator[tuple[str, str]]:
    yield "records", f"{manifest.rows:,} for {manifest.task}"
    for name, column in manifest.columns.items():
        yield name, _column(column)
    if manifest.classes:
        yield "classes", _classes(manifest.classes)
    yield "shards", _shards(manifest)
    for what, how in manifest.read.items():
        yield f"read: {what}", _read(how)


def _column(column: Column) -> str:
    shape = "lists" if column.shape is None else "x".join(str(side) for side in column.shape) or "a number"
    return f"{column.type}{'' if column.type == 'string' else f', {shape}'}"


def _read(how: Any) -> str:
    return ", ".join(map(str, how)) if isinstance(how, list | tuple) else str(how)


def _classes(names: tuple[str, ...]) -> str:
    return f"{len(names)}: {', '.join(shown(name, 60) for name in names[:6])}{', …' * (len(names) > 6)}"


def _shards(manifest: Manifest | RecordManifest) -> str:
    return f"{len(manifest.shards)}, {sum(shard.bytes for shard in manifest.shards) / 1e6:.1f} MB"
