"""Finished units, kept: a folder of small Arrow files, one a flush, as nothing can be appended to on S3.

A record is (stage, item, shard, payload); the first record of a key counts, as execution is at least once. A segment's
name ends in the SHA-256 of its content, so that half a segment, or one with a flipped bit, is never read as whole.
A thread of its own writes what waits every FLUSH_SECONDS, so that a record is safe within that and one write,
whether or not another follows.
"""

import hashlib
import io
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.ipc

from evoray.errors import RunError
from evoray.runtime.arrow import read_arrow
from evoray.runtime.reading import shown, translated
from evoray.storage.directory import RunDirectory

Key = tuple[str, str, int]
FLUSH_SECONDS = 2.0
FLUSH_RECORDS, FLUSH_BYTES = 20_000, 16 * 2**20
"""A flush comes earlier than that when so many wait, so that what waits stays small in memory."""
JOIN_SEGMENTS = 64
"""In a journal of more, small segments are joined as it is read: a day's run leaves 40,000."""
SMALL_BYTES, JOINED_BYTES = 2**20, 16 * 2**20
"""What counts as small, and what such are joined to; a large one is left alone: it need not fit into memory twice."""
SEGMENT_BYTES = 2**29
"""More than a segment has: FLUSH_BYTES and one record."""
RUN = b"evoray-run"
REMEDY = "Remove that file, then go on with resume=True: its units are evaluated again."
READERS = 16
"""Segments fetched at once: an object store takes tens of milliseconds for each."""
SCHEMA = pa.schema([("stage", pa.string()), ("item", pa.string()), ("shard", pa.int64()), ("payload", pa.binary())])


class Records:
    """What a journal holds, as Arrow columns: about 70 bytes a record, where a dictionary needs 340."""

    def __init__(self, segments: Iterable[pa.Table] = ()) -> None:
        self._stages: dict[str, list[pa.Table]] = defaultdict(list)
        for table in segments:
            for stage in table["stage"].unique().to_pylist():
                own = table.filter(pyarrow.compute.equal(table["stage"], stage)).drop_columns("stage").combine_chunks()
                item = own.schema.get_field_index("item")
                self._stages[stage].append(own.set_column(item, "item", own["item"].dictionary_encode()))

    def __len__(self) -> int:
        """Records not taken yet; one that was written twice counts twice."""
        return sum(table.num_rows for tables in self._stages.values() for table in tables)

    def take(self, stage: str) -> Iterator[tuple[str, int, bytes]]:
        """Hands over (item, shard, payload) of one stage, the first record of each key, and lets go of them."""
        tables = self._stages.pop(stage, [])
        keep, start = _first_of_each_key(tables), 0
        while tables:
            table = tables.pop(0)
            if keep is not None:
                table, start = table.filter(pa.array(keep[start : start + table.num_rows])), start + table.num_rows
            for batch in table.to_batches(10_000):
                yield from zip(*(batch[name].to_pylist() for name in ("item", "shard", "payload")), strict=True)


def _first_of_each_key(tables: Sequence[pa.Table]) -> np.ndarray | None:
    """Which rows of the tables, one after the other, come first with their (item, shard); None when all do."""
    codes: dict[str, int] = {}
    keys = [np.zeros(0, np.int64)]
    for table in tables:
        item = table["item"].combine_chunks()
        own = [codes.setdefault(name, len(codes)) for name in item.dictionary.to_pylist()]
        keys.append((np.array(own, np.int64)[item.indices.to_numpy()] << 32) + table["shard"].to_numpy())
    joined = np.concatenate(keys)
    ordered = np.sort(joined)
    if (ordered[1:] != ordered[:-1]).all():
        return None
    keep = np.zeros(len(joined), bool)
    keep[np.unique(joined, return_index=True)[1]] = True
    return keep


class Journal:
    """Open it for a run, ``add`` what is finished, ``close`` it on every way out.

    run_id: stands in every segment; one of another run is refused. None asks nothing, and segments that are older than
        this say nothing.

    Raises:
        RunError: what waited could not be written (a full disk); from the next ``add``, ``flush`` or ``close``.
            What was written before is whole, and what waits is tried again by ``flush`` and ``close``.
    """

    def __init__(self, directory: RunDirectory, run_id: str | None = None) -> None:
        self._directory, self._run_id = directory, run_id
        self._waiting: deque[tuple[str, str, int, bytes]] = deque()
        self._bytes = 0
        self._writing = threading.Lock()
        self._failure: RunError | None = None
        self._wake, self._closed = threading.Event(), False
        self._thread: threading.Thread | None = None
        numbers = [int(name[:8]) for name in self._names() if name[:8].isdecimal()]
        self._next = max(numbers, default=-1) + 1

    def read(self) -> Records:
        """Everything finished so far; damaged segments are refused by name, and many small ones are joined."""
        names = self._names()
        return Records(self._joining(names) if len(names) > JOIN_SEGMENTS else self._tables(names))

    def newest(self, stage: str) -> Iterator[tuple[str, int, bytes]]:
        """(item, shard, payload) of one stage, the last segments first, for whoever stops once it has what it looks
        for; a record that was written twice may come twice. Nothing is written."""
        for name in reversed(self._names()):
            table = self._segment(name)
            own = table.filter(pyarrow.compute.equal(table["stage"], stage))
            yield from zip(*(own[column].to_pylist() for column in ("item", "shard", "payload")), strict=True)

    def add(self, key: Key, payload: bytes) -> None:
        """Takes a finished unit; it is on disk FLUSH_SECONDS later, at most."""
        self._waiting.append((*key, payload))
        self._bytes += len(payload)
        if self._failure is not None:
            raise self._failure
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_flushing, name="evoray-journal", daemon=True)
            self._thread.start()
        if len(self._waiting) >= FLUSH_RECORDS or self._bytes >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what waits, as one segment. Interrupted anywhere, it leaves the records waiting or twice on disk."""
        with self._writing:
            self._bytes = 0  # what is added meanwhile may count or not: it is flushed soon in any case
            rows = [self._waiting[number] for number in range(len(self._waiting))]
            if rows:
                arrays = [
                    pa.array(list(values), field.type)
                    for values, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)
                ]
                self._write(pa.Table.from_arrays(arrays, schema=SCHEMA))
                for _ in rows:
                    self._waiting.popleft()
            self._failure = None

    def close(self) -> None:
        """Writes what waits and ends the thread; safe to call twice."""
        self._closed = True
        self._wake.set()
        self.flush()

    def _keep_flushing(self) -> None:
        while not self._closed:
            self._wake.wait(FLUSH_SECONDS)
            try:
                self.flush()
            except RunError as error:  # raised where the run can stop: at the next result, or at its end
                self._failure = error
            except MemoryError:  # the thread lives on: what waits is written once there is some
                where = f"{self._directory.location}/journal: this machine's memory does not hold what waits"
                self._failure = RunError(f"{where}. Go on with --resume where there is more: what is in it is kept.")

    def _names(self) -> list[str]:
        return [name for name in self._directory.names("journal") if name.endswith(".arrow")]

    def _tables(self, names: Sequence[str]) -> Iterator[pa.Table]:
        with ThreadPoolExecutor(READERS, "evoray-journal-read") as pool:
            for start in range(0, len(names), READERS):
                yield from pool.map(self._segment, names[start : start + READERS])

    def _joining(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """The tables of the segments, which are fewer afterwards."""
        small: dict[str, pa.Table] = {}
        held = 0
        for name, table in zip(names, self._tables(names), strict=True):
            yield table
            if table.nbytes < SMALL_BYTES:
                small[name] = table
                held += table.nbytes
            if held >= JOINED_BYTES:
                self._join(small)
                small, held = {}, 0
        if len(small) > 1:
            self._join(small)

    def _join(self, segments: Mapping[str, pa.Table]) -> None:
        self._write(pa.concat_tables(segments.values()).combine_chunks())
        # removed only now: a crash in between leaves records twice, which read as once
        for name in segments:
            self._directory.remove(f"journal/{name}")

    def _write(self, table: pa.Table) -> None:
        sink = io.BytesIO()
        own = None if self._run_id is None else {RUN: self._run_id.encode()}
        table = table.replace_schema_metadata(own)
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        self._keep(sink.getvalue())

    def _keep(self, content: bytes) -> None:
        self._directory.write(f"journal/{self._next:08d}-{_digest(content)}.arrow", content)
        self._next += 1

    def _segment(self, name: str) -> pa.Table:
        origin = f"{self._directory.location}/journal/{name}"
        content = self._directory.read(f"journal/{name}", SEGMENT_BYTES)
        if name.removesuffix(".arrow")[9:] != _digest(content):
            raise RunError(f"{shown(origin)}: damaged, its content is not what its name says. {REMEDY}")
        with translated(origin, REMEDY, RunError):
            table = read_arrow(pa.py_buffer(content), {field.name: field.type for field in SCHEMA})
            written = (table.schema.metadata or {}).get(RUN)
            if self._run_id is not None and written not in (None, self._run_id.encode()):
                raise RunError(f"{shown(origin)}: of another run ({shown(written.decode(), 40)}). {REMEDY}")
            ends = pyarrow.compute.min_max(table["shard"]).as_py()
            if len(table) and not -(2**31) < ends["min"] <= ends["max"] <= 2**31:
                raise ValueError(f"the number of a shard is {ends['max']}")
            return table.replace_schema_metadata(None)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
