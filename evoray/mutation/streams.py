"""Random words by address: Philox4x64-10 (Salmon et al., SC 2011), keyed by (seed, stream)."""

import numpy as np

from evoray.errors import LineageError

MASK, NOISE = 1, 2
"""The streams of format 1."""
ROUNDING = 3
"""Of format 4."""


def words32(seed: int, stream: int, count: int, start: int = 0) -> np.ndarray:
    """uint32 [count]: words of a stream from ``start`` on, cut from 64-bit outputs low end first."""
    return _words(seed, stream, count, start, "<u4")


def words16(seed: int, stream: int, count: int, start: int = 0) -> np.ndarray:
    """uint16 [count], cut in the same way."""
    return _words(seed, stream, count, start, "<u2")


def check_seed(seed: int) -> None:
    """LineageError for what is no seed of a stream."""
    if not 0 <= seed < 2**64:
        raise LineageError(f"seed = {seed} is not a 64-bit unsigned number. Draw seeds with derive_seed.")


def _words(seed: int, stream: int, count: int, start: int, kind: str) -> np.ndarray:
    check_seed(seed)
    # a counter block is four 64-bit outputs; NumPy adds one to the counter before each block
    block, skipped = divmod(start, 32 // np.dtype(kind).itemsize)
    key = np.array([seed, stream], dtype=np.uint64)
    outputs = -(-(skipped + count) * np.dtype(kind).itemsize // 8)
    raw = np.random.Philox(key=key, counter=block).random_raw(outputs)
    return np.ascontiguousarray(raw, dtype="<u8").view(kind)[skipped : skipped + count]
