"""The quantile table of format 1: no transcendental function runs when a child is rebuilt."""

from functools import cache
from statistics import NormalDist

import numpy as np

SIZE = 65536
FLOAT32_MAX = float(np.finfo(np.float32).max)
TABLE_SHA256 = "1cfbba1e07e34386a57626f82aeb43e6ed54ba70a3ea6b7d964dc66a841074a8"
_BLOCK = 65536
"""Words looked up at once: NumPy widens them to 64 bits, which stays in the cache in blocks of this size."""


@cache
def quantiles() -> np.ndarray:
    """float32 [65536], read-only: the standard normal quantiles at (c + 1/2) / 65536."""
    inverse = NormalDist().inv_cdf
    table = np.array([inverse((c + 0.5) / SIZE) for c in range(SIZE)], dtype=np.float32)
    table.setflags(write=False)
    return table


def normal(words: np.ndarray) -> np.ndarray:
    """float32, as many as there are ``words`` (uint16): the table's value at each."""
    table, values = quantiles(), np.empty(len(words), dtype=np.float32)
    for first in range(0, len(words), _BLOCK):
        block = slice(first, first + _BLOCK)
        # no word is out of range; with mode="raise" NumPy would write to a copy of ``out``
        np.take(table, words[block], out=values[block], mode="clip")
    return values
