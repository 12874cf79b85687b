"""From images to shards: decoded once, in parallel, one shard a task, and the same bytes whatever the workers.

The order of records is a seeded shuffle over all of them, so that every shard is class mixed. Shards are cut from
that order before anything is decoded; a record that cannot be decoded leaves its place empty.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pyarrow as pa

from evoray.data.manifest import NAME, Manifest, ShardEntry, Unreadable
from evoray.data.sources import DatasetSource, FolderSource, Source
from evoray.data.transform import ImageTransform
from evoray.errors import ConfigError, DataError, RunError

BATCH_ROWS = 256
Advance = Callable[[int, int], None]
"""Called with (records just done, records in all)."""


def ingest_folder(root: Path, dest: Path, transform: ImageTransform, **options: Any) -> Manifest:
    """Shards of an ImageFolder tree; see ``ingest_source`` for the options."""
    return ingest_source(FolderSource.scan(root), dest, transform, **options)


def ingest_dataset(dataset: Any, dest: Path, transform: ImageTransform, **options: Any) -> Manifest:
    """Shards of a torch ``Dataset`` of (PIL image or uint8 array, label); with more than one worker it is pickled."""
    return ingest_source(DatasetSource.of(dataset), dest, transform, **{"workers": 1, **options})


def ingest_source(
    source: Source,
    dest: Path,
    transform: ImageTransform,
    *,
    per_class: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    shard_size: int = 1024,
    on_progress: Advance | None = None,
) -> Manifest:
    """Writes ``dest``, a new directory, whole or not at all.

    Args:
        per_class: so many records of each class, chosen by ``seed``; None takes all.
        workers: decoding processes; None is one a core.

    Raises:
        DataError: ``dest`` exists, no record can be decoded, or images that are stored as they are differ in size.
        ConfigError: an option below its least value.
        RunError: a decoding process died.
    """
    least = {"per_class": (per_class, 1), "seed": (seed, 0), "workers": (workers, 1), "shard_size": (shard_size, 1)}
    for name, (value, bound) in least.items():
        if value is not None and value < bound:
            raise ConfigError(f"{name} = {value}: give {bound} or more.")
    if os.path.lexists(dest):
        raise DataError(f"{dest}: exists already. Name a new directory for the shards.")
    order = _order(np.asarray(source.labels), per_class, seed)
    parts = [order[start : start + shard_size] for start in range(0, len(order), shard_size)]
    building = dest.with_name(f".{dest.name}.{os.getpid()}.part")
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir(parents=True)
        results = _write_all(source, transform, building, parts, workers, on_progress or (lambda *_: None))
        manifest = _manifest(source, transform, building, results, seed, per_class)
        (building / NAME).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
        building.rename(dest)
    except OSError as error:
        raise DataError(f"{dest}: cannot be written ({error}).") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def _order(labels: np.ndarray, per_class: int | None, seed: int) -> np.ndarray:
    order = np.random.default_rng(np.random.SeedSequence(seed)).permutation(len(labels))
    if per_class is None:
        return order
    taken: dict[int, int] = defaultdict(int)
    kept = []
    for record in order:
        label = int(labels[record])
        if taken[label] < per_class:
            taken[label] += 1
            kept.append(record)
    return np.array(kept, dtype=np.int64)


Result = tuple[ShardEntry | None, tuple[int, ...] | None, str, list[Unreadable]]
"""Of one shard: its entry (None when nothing could be decoded), image shape, first name, unreadable records."""


def _write_all(
    source: Source,
    transform: ImageTransform,
    directory: Path,
    parts: list[np.ndarray],
    workers: int | None,
    advance: Advance,
) -> list[Result]:
    total = sum(len(part) for part in parts)
    workers = min(workers or os.cpu_count() or 1, len(parts))
    paths = [directory / f"shard-{number:05d}.arrow" for number in range(len(parts))]
    if workers == 1:
        return [
            _write_shard(source, transform, path, part, lambda done: advance(done, total))
            for path, part in zip(paths, parts, strict=True)
        ]
    context = multiprocessing.get_context("spawn")
    initial = (_pickled(source, transform),)
    results: dict[int, Result] = {}
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=initial) as pool:
        try:
            futures = {pool.submit(_write_in_worker, paths[i], parts[i]): i for i in range(len(parts))}
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                advance(len(parts[futures[future]]), total)
        except BrokenProcessPool:
            raise RunError("a decoding process died, perhaps for want of memory. Give fewer workers.") from None
        finally:
            pool.shutdown(cancel_futures=True)  # after a failure: not the rest of ImageNet first
    return [results[number] for number in range(len(parts))]


def _pickled(source: Source, transform: ImageTransform) -> bytes:
    try:
        return pickle.dumps((source, transform))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise DataError(f"the records cannot be sent to other processes ({error}). Give workers = 1.") from None


_at_work: tuple[Source, ImageTransform]
"""Of a worker process: sent once, for the names of ImageNet's records alone are 47 MB."""


def _start_worker(pickled: bytes) -> None:
    global _at_work
    _at_work = pickle.loads(pickled)


def _write_in_worker(path: Path, records: np.ndarray) -> Result:
    return _write_shard(*_at_work, path, records, lambda _: None)


def _write_shard(
    source: Source,
    transform: ImageTransform,
    path: Path,
    records: np.ndarray,
    advance: Callable[[int], None],
) -> Result:
    bad: list[Unreadable] = []
    images = np.empty((0,), np.uint8)
    labels: list[int] = []
    names: list[str] = []
    for record, image in _decoded(source, transform, records, bad, advance):
        if not names:
            images = np.empty((len(records), *image.shape), np.uint8)
        elif image.shape != images.shape[1:]:
            raise _differs(source.names[record], image.shape, names[0], images.shape[1:])
        images[len(names)] = image
        labels.append(source.labels[record])
        names.append(source.names[record])
    if not names:
        return None, None, "", bad
    _write_arrow(path, images[: len(names)], labels, names)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    entry = ShardEntry(file=path.name, rows=len(names), bytes=path.stat().st_size, sha256=digest)
    return entry, images.shape[1:], names[0], bad


def _differs(name: str, shape: tuple[int, ...], first: str, expected: tuple[int, ...]) -> DataError:
    return DataError(
        f"{name}: {shape} where {first} is {expected}. Images that are stored as they are must be "
        "of one size: give --resize and --crop."
    )


def _decoded(
    source: Source,
    transform: ImageTransform,
    records: np.ndarray,
    bad: list[Unreadable],
    advance: Callable[[int], None],
) -> Iterator[tuple[int, np.ndarray]]:
    for record in records.tolist():
        try:
            image = transform(source.open(record))
        except DataError:
            raise
        except Exception as error:  # a decoder may raise anything on bytes that are no image
            bad.append(Unreadable(source=source.names[record], error=_reason(error, source, record)))
            continue
        finally:
            advance(1)
        yield record, image


def _reason(error: Exception, source: Source, record: int) -> str:
    """One line, the same on every machine and run: no folder of this machine, no address in memory."""
    name, root = source.names[record], getattr(source, "root", None)
    reason = re.sub(r" at 0x[0-9a-fA-F]+", "", f"{type(error).__name__}: {error}")
    if root is not None:
        reason = reason.replace(str(root / name), name)
    return reason.splitlines()[0][:300]


def _write_arrow(path: Path, images: np.ndarray, labels: list[int], names: list[str]) -> None:
    """An uncompressed Arrow file: image fixed_size_binary, label int64, source string, BATCH_ROWS a batch."""
    count, width = len(images), int(np.prod(images.shape[1:]))
    kind = pa.binary(width)
    image = pa.FixedSizeBinaryArray.from_buffers(kind, count, [None, pa.py_buffer(images)])
    table = pa.table({"image": image, "label": pa.array(labels, pa.int64()), "source": pa.array(names, pa.string())})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS)


def _manifest(
    source: Source,
    transform: ImageTransform,
    directory: Path,
    results: list[Result],
    seed: int,
    per_class: int | None,
) -> Manifest:
    bad = sorted((one for *_, found in results for one in found), key=lambda one: one.source)
    whole = [(entry, shape, name) for entry, shape, name, _ in results if entry is not None and shape is not None]
    if not whole:
        raise DataError(f"none of {len(bad)} files could be decoded; the first: {bad[0].source}: {bad[0].error}.")
    for _, shape, name in whole:
        if shape != whole[0][1]:
            raise _differs(name, shape, whole[0][2], whole[0][1])
    channels, height, width = whole[0][1]
    return Manifest(
        image_shape=(channels, height, width),
        classes=source.classes,
        transform=transform,
        decoder=f"pillow {PIL.__version__}",
        order_seed=seed,
        per_class=per_class,
        rows=sum(entry.rows for entry, *_ in whole),
        shards=tuple(entry for entry, *_ in whole),
        unreadable=tuple(bad),
    )
