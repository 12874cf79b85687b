"""How units travel: what they have in common once a worker and job, the rest in a few dozen bytes a child.

A unit is pickled with the job's shared objects left out by number, and compressed against a specimen of the job's
own units, so that class names, field names and a mask seed that siblings have in common cost next to nothing. What
is left of a child is its noise seed, its part and its number.
"""

import io
import pickle
import zlib
from collections.abc import Sequence
from typing import Any

LEVEL = 1
WINDOW = 15


class Encoder:
    """The driver's side of one job.

    Args:
        shared: objects that the units refer to; found again by identity.
        specimen: a unit like those to come. run: the run they belong to.
    """

    def __init__(self, shared: Sequence[Any], specimen: Any, run: str = "") -> None:
        self._numbers = {id(item): number for number, item in enumerate(shared)}
        self._shared = tuple(shared)  # keeps the identities alive
        self._dictionary = self._pickle(specimen)
        self.preamble = zlib.compress(pickle.dumps((self._shared, self._dictionary, run), protocol=5))
        """What a worker needs before its first unit of the job."""

    def encode(self, unit: Any) -> bytes:
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW, zdict=self._dictionary)
        return packer.compress(self._pickle(unit)) + packer.flush()

    def _pickle(self, unit: Any) -> bytes:
        file = io.BytesIO()
        _Pickler(file, self._numbers).dump(unit)
        return file.getvalue()


class Decoder:
    """The worker's side, from the encoder's preamble."""

    def __init__(self, preamble: bytes) -> None:
        self._shared, self._dictionary, self.run = pickle.loads(zlib.decompress(preamble))

    def decode(self, payload: bytes) -> Any:
        unpacker = zlib.decompressobj(-WINDOW, zdict=self._dictionary)
        raw = unpacker.decompress(payload) + unpacker.flush()
        return _Unpickler(io.BytesIO(raw), self._shared).load()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, numbers: dict[int, int]) -> None:
        super().__init__(file, protocol=5)
        self._numbers = numbers

    def persistent_id(self, item: Any) -> int | None:
        return self._numbers.get(id(item))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: tuple[Any, ...]) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, number: int) -> Any:
        return self._shared[number]
