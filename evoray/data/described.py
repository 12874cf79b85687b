"""A shard directory in words, for people."""

from __future__ import annotations

from collections.abc import Iterator

from evoray.data.manifest import Manifest
from evoray.data.record_manifest import RecordManifest
from evoray.runtime.reading import shown


def described(manifest: Manifest | RecordManifest) -> Iterator[tuple[str, str]]:
    """Rows of (what, how much)."""
    yield from _of_images(manifest) if isinstance(manifest, Manifest) else _of_records(manifest)
    yield "unreadable", str(len(manifest.unreadable))
    yield "digest", manifest.digest


def _of_images(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "images", f"{manifest.rows:,} of {'x'.join(str(side) for side in manifest.image_shape)}"
    yield "classes", _classes(manifest.classes)
    yield "shards", _shards(manifest)
    yield "transform", manifest.transform.model_dump_json()
    yield "decoder", manifest.decoder


def _of_records(manifest: RecordManifest) -> Iterator[tuple[str, str]]:
    yield "records", f"{manifest.rows:,} for {manifest.task}"
    for name, column in manifest.columns.items():
        shape = "lists" if column.shape is None else "x".join(str(side) for side in column.shape) or "a number"
        yield name, f"{column.type}{'' if column.type == 'string' else f', {shape}'}"
    if manifest.classes:
        yield "classes", _classes(manifest.classes)
    yield "shards", _shards(manifest)
    for what, how in manifest.read.items():
        yield f"read: {what}", ", ".join(map(str, how)) if isinstance(how, list) else str(how)


def _classes(names: tuple[str, ...]) -> str:
    return f"{len(names)}: {', '.join(shown(name, 60) for name in names[:6])}{', …' * (len(names) > 6)}"


def _shards(manifest: Manifest | RecordManifest) -> str:
    return f"{len(manifest.shards)}, {sum(shard.bytes for shard in manifest.shards) / 1e6:.1f} MB"
