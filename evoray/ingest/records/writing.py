"""Records to a shard directory, whole or not at all."""

import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evoray.data.manifest import NAME, ShardEntry, Unreadable
from evoray.data.record_manifest import RecordManifest
from evoray.data.records import Column, Ragged, Values, to_arrow
from evoray.data.schema import Schema
from evoray.errors import DataError
from evoray.ingest.shard_file import BATCH_ROWS, Hashing, refuse_existing
from evoray.runtime.reading import said, shown


@dataclass(frozen=True)
class Wanted:
    """What the user says. inputs, targets: columns by name or pattern; seed: of the order of records.

    kind: the task of EvoRay's whose records it takes, where ``task`` is a user's own.
    config: of the run whose parent makes tokens of texts; truncate: whether texts that are too long for it are cut.
    schema: of a user's own task whose records are of a kind of its own.
    words: the target is one column of words, as a task of one's own may say (``target`` of type ``string``).
    """

    task: str
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    seed: int = 0
    shard_size: int = 1024
    kind: str = ""
    config: Path | None = None
    truncate: bool = False
    schema: Schema | None = None
    words: bool = False


@dataclass(frozen=True)
class Gathered:
    """All records, in memory. values: by column; names: one a record; read, classes: as the manifest has them.

    sort: the column of lists by whose lengths each shard's records lie, so that batches of neighbours need little
        padding; None leaves them in the order that was drawn.
    notes: what is worth saying of how they were read.
    """

    task: str
    columns: Mapping[str, Column]
    values: Mapping[str, Values]
    target: str
    names: Sequence[str]
    classes: tuple[str, ...] = ()
    read: Mapping[str, Any] = field(default_factory=dict)
    sort: str | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


def write_records(records: Gathered, dest: Path, seed: int = 0, shard_size: int = 1024) -> RecordManifest:
    """Shards in an order drawn by ``seed``, then their manifest. DataError where ``dest`` is or cannot be written."""
    order = np.random.default_rng(np.random.SeedSequence(seed)).permutation(len(records))
    starts = range(0, len(order), shard_size)
    return publish(((records, order[start : start + shard_size]) for start in starts), dest, seed)


def publish(
    shards: Iterable[tuple[Gathered, np.ndarray]], dest: Path, seed: int, unreadable: tuple[Unreadable, ...] = ()
) -> RecordManifest:
    """Each shard is some rows of some records, all of one task and of the same columns; whole, or nothing is there."""
    refuse_existing(dest)
    part = dest.with_name(f".{dest.name}.{uuid.uuid4().hex}.part")
    try:
        part.mkdir(parents=True)
        entries = []
        for number, (records, rows) in enumerate(shards):
            entries.append(_write(records, _sorted(records, rows), part / f"shard-{number:05d}.arrow"))
        manifest = RecordManifest(
            task=records.task,
            columns=dict(records.columns),
            target=records.target,
            classes=records.classes,
            read=dict(records.read),
            order_seed=seed,
            rows=sum(entry.rows for entry in entries),
            shards=tuple(entries),
            unreadable=unreadable,
        )
        (part / NAME).write_text(manifest.to_json())
        part.rename(dest)
    except OSError as error:
        raise DataError(f"{shown(dest)}: cannot be written ({said(error)}).") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def _sorted(records: Gathered, rows: np.ndarray) -> np.ndarray:
    lists = None if records.sort is None else records.values[records.sort]
    return rows[np.argsort(lists.lengths[rows], kind="stable")] if isinstance(lists, Ragged) else rows


def _write(records: Gathered, rows: np.ndarray, path: Path) -> ShardEntry:
    fields = [(name, column.arrow) for name, column in records.columns.items()] + [("source", pa.string())]
    schema = pa.schema(fields)
    sink = Hashing(open(path, "wb", buffering=0))  # noqa: SIM115
    try:
        with pa.ipc.new_file(sink, schema) as writer:
            for start in range(0, len(rows), BATCH_ROWS):
                some = rows[start : start + BATCH_ROWS]
                arrays = [
                    to_arrow(some_values(records.values[name], some), one) for name, one in records.columns.items()
                ]
                names = pa.array([records.names[row] for row in some], pa.string())
                writer.write_batch(pa.RecordBatch.from_arrays([*arrays, names], schema=schema))
    finally:
        sink.close()
    return ShardEntry(file=path.name, rows=len(rows), bytes=sink.bytes, sha256=sink.digest.hexdigest())


def some_values(values: Values, rows: np.ndarray) -> Values:
    if isinstance(values, np.ndarray):
        chosen: np.ndarray = values[rows]
        return chosen
    if isinstance(values, Ragged):
        return Ragged.of([values[row] for row in rows], str(values.values.dtype))
    return [values[row] for row in rows]
