"""The simulation of ``tests/benchmarks/simulated.py``: the real driver answers everything once, whatever nodes do."""

from __future__ import annotations

import pytest
from simulated import Cluster, simulated


@pytest.mark.parametrize("life", [0.0, 10.0, 60.0])
def test_every_outcome_comes_once_whatever_nodes_do(life):
    found = simulated(Cluster(nodes=8, life_s=life), 20, 40, ray_s=3e-4, outcome_s=2e-5, seed=1)
    assert found["outcomes"] == 20 * 40
    assert (found["nodes_lost"] > 0) == (found["retries"] > 0) == (life > 0)


def test_a_driver_that_cannot_keep_up_is_seen_to():
    quick, slow = (simulated(Cluster(nodes=8, spread=0), 200, 40, ray_s, 0.0, 1) for ray_s in (3e-4, 0.1))
    assert quick["efficiency"] > 2 * slow["efficiency"] and slow["driver_busy"] > 0.9
