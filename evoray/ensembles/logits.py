"""Members' logits as files, written where they are made: they never cross the network to the driver.

One Arrow IPC file a shard, one record batch a member in the ensemble's order, so a worker holds one member's logits
at a time. Rows are (member, index, label, logits [classes] float32). The same logits give the same bytes.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from evoray.storage.directory import RunDirectory


def logits_name(split: str, shard: int) -> str:
    """The file's name inside the run directory."""
    return f"logits/{split}/{shard:06d}.arrow"


class _Hashed:
    """A sink that digests what passes through it; Arrow's file format is written from front to back."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self.sha256 = hashlib.sha256()
        self.closed = False

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        return self._sink.write(content)

    def tell(self) -> int:
        return self._sink.tell()

    def flush(self) -> None:
        self._sink.flush()


class LogitsFile:
    """Takes one member after the other; ``sha256`` and ``size`` (bytes) are known when it is finished."""

    def __init__(self, sink: IO[bytes], index: np.ndarray, label: np.ndarray) -> None:
        self._sink = _Hashed(sink)
        self._index, self._label = pa.array(index, pa.int64()), pa.array(label, pa.int64())
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self.sha256, self.size = b"", 0

    def add(self, member: str, logits: np.ndarray) -> None:
        """float32 [n, classes], in the order of ``index``."""
        rows, classes = logits.shape
        schema = pa.schema(
            [
                ("member", pa.string()),
                ("index", pa.int64()),
                ("label", pa.int64()),
                ("logits", pa.list_(pa.float32(), classes)),
            ]
        )
        if self._writer is None:
            self._writer = pa.ipc.new_file(self._sink, schema)
        values = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(logits).ravel()), classes)
        columns = [pa.array(np.full(rows, member, dtype=object), pa.string()), self._index, self._label, values]
        self._writer.write_batch(pa.record_batch(columns, schema=schema))

    def finish(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self.sha256, self.size = self._sink.sha256.digest(), self._sink.tell()


@contextmanager
def logits_file(run_directory: str, name: str, index: np.ndarray, label: np.ndarray) -> Iterator[LogitsFile]:
    """A new file in a run directory (path or URI): whole when the block ends, absent when it fails.

    Args:
        index, label: int64 [n], of the images.

    Raises:
        RunError: it cannot be written; names the file.
    """
    with RunDirectory(run_directory).writing(name) as sink:
        file = LogitsFile(sink, index, label)
        yield file
        file.finish()
