"""From images to shards: decoded once, in parallel, one shard a task, and the same bytes whatever the workers.

The order of records is a seeded shuffle over all of them, so that every shard is class mixed. Shards are cut from
that order before anything is decoded; a record that cannot be decoded leaves its place empty.

Work goes on in ``.DEST.part`` beside DEST, which becomes DEST when everything is there. Killed at any moment and
started again in the same way, an ingest checks the digests of the shards that are finished and makes the others. It
does not go on where the files that it reads were written since: its shards would be of two sets of pictures.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evoray.data.manifest import NAME, Manifest
from evoray.data.schema import DEFAULT_TASK, Schema
from evoray.data.transform import ImageTransform
from evoray.errors import ConfigError, DataError, UsageError
from evoray.ingest.names import check_classes
from evoray.ingest.processes import Mapper, in_processes
from evoray.ingest.shard_file import WRITTEN, refuse_existing
from evoray.ingest.shard_writer import Finished, ShardWriter, differs
from evoray.ingest.sources import DatasetSource, FolderSource, Source
from evoray.runtime.limits import LOCAL_WORKERS, SEED
from evoray.runtime.lock import one_at_a_time
from evoray.runtime.paths import replace_with
from evoray.runtime.reading import parse_json, read_file, said, shown
from evoray.tasks.registry import make_task

BOUNDS = {"per_class": (1, 2**26), "seed": (0, SEED), "workers": (1, LOCAL_WORKERS), "shard_size": (1, 2**20)}
"""Of an option, its least and its largest value."""
FILES = "files"
"""In a plan: the state of the files that are read."""
Advance = Callable[[int, int], None]
"""Called with (records just done, records in all)."""


def ingest_folder(root: Path, dest: Path, transform: ImageTransform, **options: Any) -> Manifest:
    """Shards of an ImageFolder tree; see ``ingest_source`` for the options."""
    return ingest_source(FolderSource.scan(root), dest, transform, **options)


def ingest_dataset(dataset: Any, dest: Path, transform: ImageTransform, **options: Any) -> Manifest:
    """Shards of a torch ``Dataset`` of (PIL image, uint8 or uint16 array, label); pickled for more than one worker."""
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
    restart: bool = False,
    mapper: Mapper | None = None,
    on_progress: Advance | None = None,
    task: str = DEFAULT_TASK,
    config_dir: Path | None = None,
) -> Manifest:
    """Writes ``dest``, a new directory, whole or not at all; goes on where an earlier call was interrupted.

    Args:
        per_class: so many records of each class, chosen by ``seed``; None takes all.
        workers: decoding processes; None is one a core.
        restart: throws away what an interrupted ingest of other images or options has left.
        mapper: who writes the shards; None is ``workers`` processes here.
        task: what the shards are for, by its name (imported from ``config_dir`` where it is a user's); its schema is
            recorded in the manifest.

    Raises:
        DataError: ``dest`` exists, no record can be decoded, images that are stored as they are differ in size,
            or another ingest is unfinished or at work there.
        ConfigError: an option below its least value, or a task whose records are no images with labels.
        RunError: a decoding process died, or a shard cannot be written. What is finished is kept.
    """
    for name, value in {"per_class": per_class, "seed": seed, "workers": workers, "shard_size": shard_size}.items():
        least, most = BOUNDS[name]
        if value is not None and not least <= value <= most:
            bound = f"{least} or more" if value < least else f"{most:,} or less"
            raise ConfigError(f"{name} = {value}: give {bound}.")
    schema = make_task(task, config_dir).schema
    if lacking := schema.lacking(WRITTEN):
        raise ConfigError(f'task.name = "{task}": its records hold {", ".join(lacking)}, which ingest does not write.')
    refuse_existing(dest)
    _refuse_inside(source, dest)
    check_classes(source.classes)
    order = _order(np.asarray(source.labels), per_class, seed)
    plan = _plan(source, transform, order, shard_size)
    advance = on_progress or (lambda *_: None)
    try:
        with _workplace(dest, plan, restart) as directory:
            source.prepare(directory)
            writer = ShardWriter(source, transform, directory.absolute(), order, shard_size)
            write = mapper or in_processes(workers)
            results = dict(write(writer, lambda done: advance(done, len(order))))
            finished = [results[number] for number in range(writer.shards)]
            manifest = _manifest(source, transform, finished, seed, per_class, schema)
            replace_with(directory / "shards" / NAME, manifest.to_json().encode())
            _sweep(directory)
            (directory / "shards").rename(dest)
    except OSError as error:
        raise DataError(f"{shown(dest)}: cannot be written ({said(error)}).") from None
    return manifest


def _refuse_inside(source: Source, dest: Path) -> None:
    """Shards in a tree of folders would be one of its classes when it is read again."""
    root = getattr(source, "root", None)
    if root is None or "/" not in next(iter(source.names), ""):
        return
    if os.path.realpath(dest).startswith(os.path.realpath(root).rstrip("/") + "/"):
        raise DataError(
            f"{shown(dest)}: inside the tree that is read, {shown(root)}, where the next ingest would take it for a "
            "class. Name a directory outside of it."
        )


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


def _plan(source: Source, transform: ImageTransform, order: np.ndarray, shard_size: int) -> dict[str, Any]:
    """What the bytes of every shard depend on; finished shards are kept only under the same."""
    records = hashlib.sha256()
    for record in order.tolist():
        records.update(f"{source.labels[record]} {source.names[record]}\n".encode(errors="surrogateescape"))
    return {
        "transform": transform.model_dump(),
        "decoder": transform.decoded_by,
        "classes": list(source.classes),
        "records": records.hexdigest(),
        "shard_size": shard_size,
        FILES: state(order.tolist()) if (state := getattr(source, "state", None)) is not None else "",
    }


@contextlib.contextmanager
def _workplace(dest: Path, plan: dict[str, Any], restart: bool) -> Iterator[Path]:
    """``.DEST.part``, for one ingest at a time; kept when it is interrupted, and gone when it is done or was wrong."""
    directory = dest.with_name(f".{dest.name}.part")
    directory.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(directory / "lock", f"{dest}: another ingest is at work there", DataError):
        if os.path.lexists(dest):  # by one that has ended just now
            shutil.rmtree(directory, ignore_errors=True)
            refuse_existing(dest)
        _begin(directory, dest, plan, restart)
        try:
            yield directory
        except UsageError:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        shutil.rmtree(directory, ignore_errors=True)


def _begin(directory: Path, dest: Path, plan: dict[str, Any], restart: bool) -> None:
    path = directory / "plan.json"
    try:
        before = parse_json(read_file(path), str(path))
    except DataError:
        before = None
    before = {FILES: plan[FILES], **before} if isinstance(before, dict) else None  # an older one says nothing of them
    if before is not None and before != plan and not restart:
        other = ", ".join(key for key, value in plan.items() if before.get(key) != value and key != FILES)
        if not other:
            raise DataError(
                f"{dest}: an ingest was interrupted there, and files that it reads were written since (their sizes or "
                "times have changed). Its finished shards may hold what they were before: begin again with --restart."
            )
        raise DataError(
            f"{dest}: an ingest with another {other} was interrupted there, and its shards are in {directory}. "
            "Finish it as it was begun, or throw it away with --restart."
        )
    if before != plan:
        for left in (entry for entry in directory.iterdir() if entry.name != "lock"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    for folder in ("shards", "done"):
        (directory / folder).mkdir(exist_ok=True)
    _sweep(directory)
    replace_with(path, json.dumps(plan).encode())


def _sweep(directory: Path) -> None:
    """Removes files half written: by a process that was killed, or by a second run of a task, which Ray may start."""
    for folder in ("shards", "done"):
        for part in (directory / folder).glob("*.part"):
            part.unlink(missing_ok=True)


def _manifest(
    source: Source,
    transform: ImageTransform,
    finished: list[Finished],
    seed: int,
    per_class: int | None,
    schema: Schema,
) -> Manifest:
    bad = sorted((one for shard in finished for one in shard.unreadable), key=lambda one: one.source)
    whole = [(shard.entry, shard.shape, shard.first) for shard in finished if shard.entry and shard.shape]
    if not whole:
        first = f"{shown(bad[0].source)}: {shown(bad[0].error)}".rstrip(".")
        raise DataError(f"none of {len(bad)} files could be decoded; the first: {first}.")
    for _, shape, name in whole:
        if shape != whole[0][1]:
            raise differs(name, shape, whole[0][2], whole[0][1])
    return Manifest(
        image_shape=whole[0][1],
        classes=source.classes,
        transform=transform,
        decoder=transform.decoded_by,
        order_seed=seed,
        per_class=per_class,
        rows=sum(entry.rows for entry, *_ in whole),
        shards=tuple(entry for entry, *_ in whole),
        unreadable=tuple(bad),
        records=schema,
    )
