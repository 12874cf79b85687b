"""The parent goes to each node once, however many workers are there: as the nodes' own object stores count it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing

import pytest
import ray

from evoray import make_backend
from evoray.config import parse_config
from evoray.evolution import evolve

WIDE = """
from torch import nn


def wide():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 8000), nn.ReLU(), nn.Linear(8000, 10))
"""
"""Of 25 MB: Ray sends it in five pieces."""


def made():
    """By node: bytes of all objects that its store ever held, those it fetched from other nodes included."""
    from ray._private.internal_api import node_stats

    alive = [node for node in ray.nodes() if node["Alive"]]
    stats = {one["NodeID"]: node_stats(one["NodeManagerAddress"], one["NodeManagerPort"], False) for one in alive}
    return {node: one.store_stats.cumulative_created_bytes for node, one in stats.items()}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_workers_of_a_node_share_one_copy(machines, scene, tmp_path):
    machines.keep(0)
    nodes = {node._node_id for node in machines.add(2, num_cpus=2)}
    assert ray.get_runtime_context().get_node_id() not in nodes, "the driver's own node needs no copy"
    scene.clear()
    (scene.folder / "wide.py").write_text(WIDE)
    values = scene.config("ray", 1, workers=4).model_dump()
    values["parent"] = {"source": "module", "name": "wide:wide", "weights": "random"}
    config = parse_config(values)
    before = made()
    with closing(make_backend(config.compute)) as shared:
        cold = evolve(config, tmp_path / "cold", config_dir=scene.folder, backend=shared).summary["work"]
        after_one = made()
        warm = evolve(config, tmp_path / "warm", config_dir=scene.folder, backend=shared).summary["work"]
        after_two = made()
    workers = defaultdict(set)
    for one in scene.seen():
        workers[one.node].add(one.pid)
    assert {node: len(pids) for node, pids in workers.items()} == dict.fromkeys(nodes, 2)
    size = cold["parent_bytes"]
    assert size > 25e6
    received = {node: after_one[node] - before[node] for node in nodes}
    assert all(size <= count < 1.02 * size for count in received.values()), (size, received)
    assert cold["nodes"] == 2
    assert 2 * size < cold["bytes_to_workers"] < 1.02 * sum(received.values())
    assert warm["nodes"] == 0 and warm["bytes_to_workers"] < 0.01 * size
    assert all(after_two[node] - after_one[node] < 0.01 * size for node in nodes)
