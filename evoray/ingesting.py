"""What ``evoray data ingest`` decides before the shards are written: source, transform, progress."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from evoray.config import load_config
from evoray.data import ImageTransform, ingest_dataset, ingest_folder
from evoray.errors import ConfigError
from evoray.models import import_function, load_parent
from evoray.progress import Progress


def chosen_transform(config: Path | None, resize: str, crop: int, interpolation: str, channels: int) -> ImageTransform:
    """The parent's own transform with ``--for``, else the options'; ``--resize none`` keeps images as they are."""
    if channels not in (1, 3):
        raise ConfigError(f"--channels {channels}: give 1 or 3.")
    if interpolation not in ("bilinear", "bicubic"):
        raise ConfigError(f"--interpolation {interpolation}: give bilinear or bicubic.")
    if config is not None:
        return _transform_of(config)
    if resize == "none":
        return ImageTransform(resize=None, crop=None, channels=channels)
    if not resize.isdigit() or int(resize) < 1:
        raise ConfigError(f"--resize {resize}: give the shorter side in pixels, or none.")
    return ImageTransform(resize=int(resize), crop=crop, interpolation=interpolation, channels=channels)


def _transform_of(path: Path) -> ImageTransform:
    config = load_config(path)
    parent = load_parent(config.parent, path.parent.resolve(), seed=config.seed)
    wanted = parent.preprocessing
    if wanted.crop is None and wanted.resize is None:
        raise ConfigError(f"--for {path}: the parent {parent.name} brings no resize or crop. Give --resize and --crop.")
    return ImageTransform(
        resize=wanted.resize,
        crop=wanted.crop,
        interpolation=wanted.interpolation,
        antialias=wanted.antialias,
        channels=wanted.channels,
    )


def ingest(
    source: str,
    dest: Path,
    transform: ImageTransform,
    per_class: int | None,
    seed: int,
    workers: int | None,
    shard_size: int,
    progress: Progress,
) -> dict[str, Any]:
    """Shards from a folder, or from a torch Dataset that ``package.module:function`` returns."""
    started = False

    def advance(done: int, total: int) -> None:
        nonlocal started
        if not started:
            progress.stage("ingest", total)
            started = True
        progress.advance(done)

    if ":" in source and not os.path.exists(source):
        dataset = import_function(source, Path.cwd())()
        manifest = ingest_dataset(
            dataset,
            dest,
            transform,
            per_class=per_class,
            seed=seed,
            shard_size=shard_size,
            on_progress=advance,
        )
    else:
        manifest = ingest_folder(
            Path(source),
            dest,
            transform,
            per_class=per_class,
            seed=seed,
            workers=workers,
            shard_size=shard_size,
            on_progress=advance,
        )
    return {
        "rows": manifest.rows,
        "classes": len(manifest.classes),
        "shards": len(manifest.shards),
        "unreadable": [item.model_dump() for item in manifest.unreadable],
        "digest": manifest.digest,
    }
