"""Integer weights (format 4): steps of a child are whole numbers, and what a soup leaves between two is rounded again.

Rounding is up or down by chance, in proportion to how near the two are, so that small changes are not lost on average.
A kind of mutation that has a seed rounds its own steps by it (``round_steps_``), so that a child is of whole numbers
already. What lies between them after all entries of a lineage were added (shares of steps in a soup, the steps of a
kind that does not round) is rounded by one stream that is the same for every network (``in_type``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from evoray.mutation.streams import ROUNDING, words16

if TYPE_CHECKING:  # configurations are read without torch, and kinds of mutation with them
    import torch
    from torch import Tensor

LIMITS = {"int8": (-128.0, 127.0), "uint8": (0.0, 255.0)}
"""Types of whole numbers that may be mutated: the least and the largest value of each."""
LONGEST = 255.0
"""No two values of a type are farther apart, so that no step has to be longer."""
SHARED_SEED = 0
"""Of the stream that rounds a whole network."""
_BLOCK = 1 << 20


def round_steps_(values: np.ndarray, whole: np.ndarray, words: np.ndarray) -> None:
    """Rounds steps float32 [m] in place where ``whole`` bool [m]: away from zero where the word's fraction reaches
    over the next number, else towards it. Opposite steps stay opposite.

    words: uint16 [m], one a step.
    """
    steps = values[whole]
    size = np.minimum(np.abs(steps), np.float32(LONGEST))
    values[whole] = np.copysign(np.floor(size + _fractions(words[whole])), steps)


def in_type(values: Tensor, own: torch.dtype, coordinates: int | Tensor) -> Tensor:
    """float32 values [m] in the type of their tensor, a copy: floating ones to nearest even, whole numbers cut to the
    type's limits and rounded by the shared stream.

    Args:
        coordinates: of the flat vector, int64 [m] ascending, or the first of m neighbours.
    """
    if own.is_floating_point:
        return values.to(own, copy=True)
    cut = values.clamp(*LIMITS[str(own).removeprefix("torch.")])
    between = (cut != cut.floor()).nonzero().reshape(-1)
    for first in range(0, len(between), _BLOCK):
        block = between[first : first + _BLOCK]
        at = (coordinates + block if isinstance(coordinates, int) else coordinates[block]).cpu().numpy()
        words = words16(SHARED_SEED, ROUNDING, int(at[-1] - at[0]) + 1, start=int(at[0]))[at - at[0]]
        cut[block] = (cut[block] + cut.new_tensor(_fractions(words))).floor()
    return cut.to(own)


def spread(values: Tensor) -> float:
    """Root mean square of whole numbers about their mean: in steps, wherever their zero lies."""
    whole = values.detach().cpu().reshape(-1).long().numpy()
    count, total, squares = len(whole), int(whole.sum()), int(np.square(whole).sum())
    return math.sqrt(count * squares - total * total) / max(1, count)


def _fractions(words: np.ndarray) -> np.ndarray:
    """float32 in [0, 1) of uint16 words, exact."""
    return words.astype(np.float32) * np.float32(1 / 65536)
