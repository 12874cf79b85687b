"""Workers and nodes that die, come, drain, run out of memory: always the bytes of the undisturbed local run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from scenes import At, assert_same, later

from evoray.search import evolve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def test_an_actor_is_killed(disturbed, scene, reference):
    result, _ = disturbed(60, lambda: os.kill(scene.seen()[-1].pid, signal.SIGKILL))
    assert_same(result, reference)
    assert result.summary["work"]["retries"] >= 1


def test_a_node_is_killed(disturbed, two_nodes, scene, reference):
    result, _ = disturbed(60, lambda: later(0, lambda: two_nodes.kill(two_nodes.nodes[0])))
    assert_same(result, reference)
    assert result.summary["work"]["retries"] >= 1


def test_out_of_memory(two_nodes, scene, reference, tmp_path):
    """Ray's memory monitor ends a worker that takes 2 GB; its unit is done by another."""
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(memory[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    two_nodes.keep(1)
    limit = 1 - free / total + 1.2 * 2**30 / total
    settings = {"RAY_memory_usage_threshold": f"{limit:.4f}", "RAY_memory_monitor_refresh_ms": "100"}
    os.environ |= settings
    (node,) = two_nodes.add(1)
    for name in settings:
        del os.environ[name]
    node.special = True
    two_nodes.kill(two_nodes.nodes[0])
    two_nodes.add(1)
    progress = At(40, lambda: (scene.folder / "hog").write_text(str(2 * 2**30)))
    result = evolve(scene.config("ray"), tmp_path / "run", config_dir=scene.folder, progress=progress)
    assert_same(result, reference)
    assert (scene.folder / "hog-eaten").exists()
    assert result.summary["work"]["retries"] >= 1
