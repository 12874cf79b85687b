"""What ``evoray data ingest`` decides before the shards are written: source, transform, who writes them."""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from evoray.backends.base import Bulk, Job, WorkerState
from evoray.config import ComputeConfig, TaskConfig, load_config
from evoray.data import ImageTransform
from evoray.data.manifest import Manifest
from evoray.data.record_manifest import RecordManifest
from evoray.errors import ConfigError, DataError, EvorayError, RunError
from evoray.ingest.ingest import ingest_source
from evoray.ingest.labels.columns import Asked
from evoray.ingest.parent_transform import ParentTransform, transform_for
from evoray.ingest.processes import Mapper, in_processes, pickled
from evoray.ingest.shard_writer import Finished, ShardWriter
from evoray.ingest.sources import DatasetSource, Source, open_source
from evoray.ingest.understood import understood
from evoray.runtime.auto import AUTO
from evoray.runtime.origin import NoExit
from evoray.runtime.paths import expanded
from evoray.runtime.progress import Progress
from evoray.runtime.reading import quoted, shown

DECODERS = ("pil", "torchvision")
RESIZE, CROP = "256", 224
PIXELS = 8192
"""A side, at most: a worker holds 256 images at once."""


@dataclass(frozen=True)
class Options:
    """Of the command line. transform: either ``config``'s parent's own, or the other five.

    resize, crop: RESIZE and CROP where neither they nor a parent say; given beside ``config`` they answer for it.
    """

    config: Path | None = None
    resize: str | None = None
    crop: int | None = None
    interpolation: str = "bilinear"
    channels: int = 3
    decoder: str = "pil"
    format: str | None = None
    labels: Path | None = None
    file_column: str | None = None
    label_column: str | None = None
    follow_links: bool = False
    split: str | None = None
    only: str | None = None
    as_classes: bool = False
    listed_only: bool = False
    per_class: int | None = None
    seed: int = 0
    workers: int | None = None
    backend: str = "local"
    shard_size: int = 1024
    restart: bool = False
    truncate: bool = False
    masks: Path | None = None
    palette: str | None = None

    def given(self, *names: str) -> list[str]:
        """Those of the options that the user has given, as they are written."""
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) not in (None, False)]


def chosen(options: Options) -> tuple[ImageTransform, str | None]:
    """The parent's own transform with ``--for``, else the options'; ``--resize none`` keeps images as they are.

    Returns:
        The transform, and why it is what it is where ``--for`` asked a parent.
    """
    if options.channels not in (1, 3):
        raise ConfigError(f"--channels {options.channels}: give 1 or 3.")
    if options.interpolation not in ("bilinear", "bicubic"):
        raise ConfigError(f"--interpolation {shown(options.interpolation)}: give bilinear or bicubic.")
    if options.decoder not in DECODERS:
        raise ConfigError(f"--decoder {shown(options.decoder)}: give {' or '.join(DECODERS)}.")
    found = from_parent(options)
    why = None if found is None else found.why
    if found is not None and found.transform is not None:
        return found.transform, why
    values: dict[str, Any] = {"channels": options.channels, "decoder": options.decoder}
    resize = RESIZE if options.resize is None else options.resize
    crop = CROP if options.crop is None else options.crop
    if resize == "none":
        return ImageTransform(resize=None, crop=None, **values), why
    side = int(resize) if resize.isdecimal() and len(resize) < 6 else 0
    if not 1 <= side <= PIXELS:
        raise ConfigError(f"--resize {shown(resize)}: give the shorter side in pixels, or none; at most {PIXELS:,}.")
    if not 1 <= crop <= PIXELS:
        raise ConfigError(f"--crop {crop}: give pixels; at most {PIXELS:,}.")
    return ImageTransform(resize=side, crop=crop, interpolation=options.interpolation, **values), why


def from_parent(options: Options) -> ParentTransform | None:
    """What ``--for`` takes, and why; None without it."""
    if options.config is None:
        return None
    answered = options.resize is not None or options.crop is not None
    return transform_for(options.config, options.decoder, answered=answered)


def ingest(source: str, dest: Path, options: Options, progress: Progress) -> dict[str, Any]:
    """Shards from images in any form that is known, or from a torch Dataset that ``package.module:function`` returns.

    Returns:
        rows, classes, shards, unreadable, digest, images_per_s (of the whole call).
    """
    if not source or "\0" in source or "\0" in str(dest) or not dest.name:
        raise ConfigError(
            f"{quoted(source)}, {quoted(str(dest))}: name the images, and a new directory for the shards."
        )
    started = time.perf_counter()
    source, dest = expanded(source), Path(expanded(str(dest)))
    transform, why = chosen(options)
    if why is not None:
        progress.note(why)
    progress.note(f"looking at {shown(source)}")
    records, in_one = _source(source, options)
    for line in understood(records):
        progress.note(line)
    manifest = ingest_source(
        records,
        dest,
        transform,
        per_class=options.per_class,
        seed=options.seed,
        shard_size=options.shard_size,
        restart=options.restart,
        mapper=mapper_of(options, in_one),
        on_progress=progress.counter("ingest", "images"),
        task=(load_config(options.config).task if options.config else TaskConfig()).name,
        config_dir=options.config.parent.resolve() if options.config else None,
    )
    return summary(manifest, started)


def summary(manifest: Manifest | RecordManifest, started: float) -> dict[str, Any]:
    """started: the clock's seconds when the call began."""
    return {
        "rows": manifest.rows,
        "classes": len(manifest.classes),
        "shards": len(manifest.shards),
        "unreadable": [item.model_dump() for item in manifest.unreadable],
        "digest": manifest.digest,
        "images_per_s": round(manifest.rows / max(time.perf_counter() - started, 1e-9), 1),
    }


def _source(name: str, options: Options) -> tuple[Source, bool]:
    """The source, and whether one process is to read it unless more are asked for: a Dataset may not travel."""
    if options.format is None and ":" in name and not os.path.exists(name):
        return DatasetSource.of(_made(name, options)), True
    asked = Asked(**{name: getattr(options, name) for name in Asked.__dataclass_fields__})
    return open_source(name, options.format, options.labels, asked), False


def _made(name: str, options: Options) -> Any:
    """What the user's function returns."""
    if given := options.given("labels", "file_column", "label_column", "split", "only", "as_classes", "listed_only"):
        raise ConfigError(f"{', '.join(given)}: {shown(name)} returns a Dataset, which brings its own labels.")
    return made_by(name)


def made_by(name: str) -> Any:
    """What the function ``package.module:function`` of the user's returns; DataError where it raises."""
    from evoray.runtime.importing import import_function

    function = import_function(name, Path.cwd())
    try:
        with NoExit(Path.cwd(), DataError):
            return function()
    except EvorayError:
        raise
    except Exception as error:  # a user's code may raise anything
        raise DataError(f"{shown(name)} raised {shown(f'{type(error).__name__}: {error}')}") from error


def mapper_of(options: Options, in_one: bool = False) -> Mapper:
    """Who writes the shards; in_one: one process, unless more are asked for."""
    if options.backend == "ray":
        return on_ray(options.workers)
    if options.backend != "local":
        raise ConfigError(f"--backend {shown(options.backend)}: give local or ray.")
    return in_processes(1 if in_one and options.workers is None else options.workers)


def on_ray(workers: int | None) -> Mapper:
    """Shards as units on a Ray cluster's workers, each of one core (None: as many as there are).

    Every node needs the images and the folder of the shards under the same paths. A lost worker's shard is done
    again elsewhere.
    """

    def write(writer: ShardWriter, count: Callable[[int], None]) -> Iterator[tuple[int, Finished]]:
        from evoray.backends import make_backend

        compute = ComputeConfig(backend="ray", workers=AUTO if workers is None else workers, gpus_per_worker=0)
        with closing(make_backend(compute)) as backend:
            backend.open(*source_of(writer))
            job = Job(dict.fromkeys(range(writer.shards), (0,)), lambda shard, _: WriteShard(shard))
            for outcome in backend.run(job):
                if outcome.failure is not None:
                    raise RunError(f"shard {outcome.shard}: {outcome.failure}. What is finished is kept.")
                count(outcome.value.records)
                yield outcome.shard, outcome.value

    return write


def source_of(writer: ShardWriter) -> tuple[WriterSource, Bulk]:
    """What a backend is opened with to write shards."""
    content = pickled(writer)
    key = hashlib.sha256(content).hexdigest()
    threads = 1 if writer.transform.decoder == "torchvision" else None
    return WriterSource(key, (os.getcwd(),), threads), Bulk(content, key, len(content))


@dataclass(frozen=True)
class WriterSource:
    """Builds the writer that travelled as bytes. threads: of torchvision's decoder; Pillow's needs no PyTorch."""

    device: ClassVar[str] = "cpu"

    key: str
    paths: tuple[str, ...]
    threads: int | None

    def settings(self) -> AbstractContextManager[None]:
        return nullcontext()

    def build(self, bulk: bytes) -> Decoder:
        return Decoder(pickle.loads(bulk))


@dataclass(frozen=True)
class Decoder(WorkerState):
    """What a worker writes shards with."""

    writer: ShardWriter


@dataclass(frozen=True)
class WriteShard:
    """The unit: one shard."""

    shard: int

    def run(self, decoder: Decoder) -> list[Finished]:
        return [decoder.writer.write(self.shard, lambda _: None)]
