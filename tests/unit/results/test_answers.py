from __future__ import annotations

import pyarrow as pa
import pytest

from evoray.results.answers import below_lowest


@pytest.mark.parametrize(
    ("best", "lowest", "said"),
    [
        ([0.5, None, 0.0], 0.0, None),
        ([0.5, -2.5, -1.0], 0.0, "an answer of best_child to a prompt of test, whose reward is -2.5"),
        ([None, None, None], 0.0, None),
        ([1.0, 1.0, 1.0], 0.9, "an answer of parent to a prompt of test, whose reward is 0.1"),
        ([-2.5, -1.0, 0.0], -3.0, None),
    ],
)
def test_a_reward_below_what_a_failure_counts_is_said(best, lowest, said):
    table = pa.table({"parent_reward": [0.1, 0.2, 0.3], "best_child_reward": pa.array(best, pa.float64())})
    found = below_lowest(table, ("parent", "best_child"), lowest)
    assert (found is None) == (said is None)
    assert said is None or (said in found and found.startswith(f"task.lowest = {lowest:g}: ") and "run again" in found)
