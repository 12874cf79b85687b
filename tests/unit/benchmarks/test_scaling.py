from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.benchmarks.scaling import SHARDS, Load, entry
from evoray.benchmarks.sleeper import Sleeper, sleep_unit


@given(st.integers(1, 500), st.integers(1, 40))
def test_a_load_is_all_its_children(units, children):
    work = Load(units, 0.5, children).job().work
    assert sum(len(items) for items in work.values()) == units * children
    assert len(work) == min(SHARDS, units)
    assert max(map(len, work.values())) - min(map(len, work.values())) <= 1


def test_a_unit_takes_the_stated_time_and_gives_a_row_a_child():
    values = sleep_unit(3, (0, 7)).run(Sleeper(0.0, logits_bytes=10))
    assert [row.shape for row, _ in values] == [(5,), (5,)]
    assert [len(logits) for _, logits in values] == [10, 0]
    assert sleep_unit(3, (0, 7)).seeds == sleep_unit(3, (0, 7)).seeds
    assert len({*sleep_unit(3, (0, 7)).seeds, *sleep_unit(4, (0, 7)).seeds}) == 4


def test_an_entry_is_the_median_of_its_rounds():
    rounds = [{"wall_s": wall, "efficiency": 10 / wall} for wall in (11.0, 30.0, 12.0)]
    one = entry(2, Load(40, 0.5), rounds)
    assert (one["workers"], one["units"], one["unit_seconds"], one["repeats"]) == (2, 40, 0.5, 3)
    assert one["wall_s"] == 12.0
    assert one["efficiency"] == pytest.approx(10 / 12)
    assert one["spread"]["wall_s"] == (11.0, 30.0)
