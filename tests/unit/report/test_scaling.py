from __future__ import annotations

import pytest

from evoray.errors import UsageError
from evoray.report.scaling import check_plot, draw_scaling, possible


def measured(workers, efficiency=0.9, cost=1.0):
    spread = {"efficiency": (efficiency - 0.01, efficiency + 0.01), "driver_cpu_ms_per_unit": (cost, cost)}
    return {
        "workers": workers,
        "units": 2000,
        "unit_seconds": 0.5,
        "efficiency": efficiency,
        "driver_cpu_ms_per_unit": cost,
        "spread": spread,
    }


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_one_or_more_results_are_drawn(tmp_path, suffix):
    path = tmp_path / f"scaling{suffix}"
    check_plot(path)
    draw_scaling([measured(64), measured(8)], path)
    assert path.stat().st_size > 2000
    draw_scaling([measured(1)], path)


def test_the_same_results_give_the_same_drawing(tmp_path):
    for name in ("a.svg", "b.svg"):
        draw_scaling([measured(8), measured(16)], tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_what_is_possible():
    """2,000 units on 64 workers are 32 rounds of which the last is half empty; a busy driver allows less."""
    assert possible(measured(64)) == pytest.approx(2000 / 64 / 32)
    assert possible(measured(2000, cost=1.0)) == pytest.approx(0.25)


def test_a_file_that_cannot_be_drawn_to(tmp_path):
    with pytest.raises(UsageError, match=r"\.svg"):
        check_plot(tmp_path / "x.jpeg")
    with pytest.raises(UsageError, match="no such directory"):
        check_plot(tmp_path / "none" / "x.svg")
