"""The measurement of the driver, small: the real command, a real Ray, workers that wait."""

from __future__ import annotations

import json
import subprocess
import sys


def test_an_actor_imports_no_torch():
    """Else 64 of them would not fit on two cores, and each would take seconds to start."""
    code = (
        "import sys, evoray.backends.ray, evoray.benchmarks.sleeper, evoray.benchmarks.scaling\n"
        "print([name for name in ('torch', 'pyarrow', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_command_measures(on_ray, cli, tmp_path):
    plot = tmp_path / "scaling.svg"
    arguments = ["--workers", 2, "--units", 40, "--unit-seconds", 0.05, "--logits-bytes", 1000, "--repeats", 2]
    code, out, _ = cli("bench", "scaling", *arguments, "--plot", plot, "--json")
    assert code == 0
    (one,) = json.loads(out)["results"]
    assert (one["workers"], one["units"], one["unit_seconds"], one["repeats"]) == (2, 40, 0.05, 2)
    assert one["wall_s"] >= 40 * 0.05 / 2
    assert 0 < one["efficiency"] <= 1
    assert one["units_issued"] >= 40
    assert one["driver_cpu_ms_per_unit"] > 0
    assert one["driver_rss_mb"] > 50
    low, high = one["spread"]["efficiency"]
    assert low <= one["efficiency"] <= high
    assert plot.read_text().startswith("<?xml")


def test_a_plot_that_cannot_be_drawn_is_refused_first(cli, tmp_path):
    code, _, errors = cli("bench", "scaling", "--plot", tmp_path / "scaling.jpeg")
    assert (code, ".svg" in errors) == (2, True)
    code, _, errors = cli("bench", "scaling", "--plot", tmp_path / "none" / "scaling.svg")
    assert (code, "no such directory" in errors) == (2, True)
