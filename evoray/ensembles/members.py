"""Which children the ensemble is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence


def top_k(fitness: Sequence[float], k: int) -> list[int]:
    """Indices of the k fittest, best first; equals keep their order.

    Failures (NaN or infinite fitness) are never members, so fewer than k may come back.
    """
    able = [index for index, value in enumerate(fitness) if math.isfinite(value)]
    return sorted(able, key=lambda index: -fitness[index])[: max(k, 0)]
