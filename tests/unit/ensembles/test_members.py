from __future__ import annotations

import math

from evoray.ensembles import top_k


def test_best_first_and_ties_by_index() -> None:
    assert top_k([-0.3, -0.1, -0.3, -0.2, -0.1], 4) == [1, 4, 3, 0]


def test_failures_are_never_members() -> None:
    assert top_k([math.nan, -math.inf, -5.0, math.inf], 3) == [2]
    assert top_k([-math.inf], 1) == []
