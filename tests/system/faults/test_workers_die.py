"""Workers and nodes that die, come, drain, run out of memory: always the bytes of the undisturbed local run."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
import ray
from outputs import PulledPlug
from scenes import At, assert_same, outputs

from evoray.config.resolve import Facts, resolve
from evoray.errors import BackendError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.settings import like_a_worker
from evoray.evolution import evolve
from evoray.mutation import Lineage, Mutation
from evoray.search.inputs import check_inputs
from evoray.search.workers import make_program

pytestmark = pytest.mark.timeout(500)


def test_an_actor_is_killed(scene, reference, ray_workers, tmp_path):
    """On one machine: a cluster of several nodes takes half a minute of a core to start."""
    scene.clear()
    scene.slow(0.02)

    def kill():
        os.kill(scene.seen()[-1].pid, signal.SIGKILL)
        scene.slow(0.1)  # another has to start before the run ends

    config, how = scene.config("ray"), {"config_dir": scene.folder, "backend": ray_workers(), "page": False}
    result = evolve(config, tmp_path / "run", progress=At(60, kill), **how)
    assert_same(result, reference)
    assert result.summary["work"]["retries"] >= 1
    assert len({one.pid for one in scene.seen()}) == 3, "another took its place"


@pytest.mark.slow
def test_an_actor_of_one_node_is_killed(disturbed, scene, reference):
    result, _ = disturbed(60, lambda: os.kill(scene.seen()[-1].pid, signal.SIGKILL))
    assert_same(result, reference)
    assert result.summary["work"]["retries"] >= 1


@pytest.mark.slow
def test_a_node_is_killed(disturbed, two_nodes, scene, reference):
    result, _ = disturbed(60, lambda: two_nodes.kill(two_nodes.nodes[0]))
    assert_same(result, reference)
    assert result.summary["work"]["retries"] >= 1


@pytest.mark.slow
def test_a_node_that_joins_gets_work(disturbed, two_nodes, scene, reference):
    two_nodes.keep(1)
    before = {node["NodeID"] for node in ray.nodes() if node["Alive"]}

    def join():
        scene.slow(0.2)
        two_nodes.add(1)

    result, _ = disturbed(20, join)
    assert_same(result, reference)
    assert len([one for one in scene.seen() if one.node not in before]) > 20
    assert result.summary["work"]["nodes"] == 2


@pytest.mark.slow
def test_all_workers_gone_and_new_ones_come(disturbed, two_nodes, scene, reference):
    def outage():
        for node in list(two_nodes.nodes):
            two_nodes.kill(node)

    result, progress = disturbed(60, outage, words="no worker is left", then=lambda: two_nodes.add(2))
    assert_same(result, reference)
    assert [note for note in progress.notes if "no worker is left" in note]
    assert [note for note in progress.notes if "going on" in note]
    assert len({one.node for one in scene.seen()}) >= 3


@pytest.mark.slow
def test_a_drained_node_gets_nothing_new(disturbed, two_nodes, scene, reference):
    drained = {}

    def drain():
        from ray._raylet import GcsClient
        from ray.core.generated import autoscaler_pb2

        node = scene.seen()[-1].node
        client = GcsClient(address=two_nodes.address)
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = int((time.time() + 60) * 1000)
        accepted, why = client.drain_node(node, reason, "the spot market", deadline)
        assert accepted, why
        drained.update(node=node, at=time.time())

    result, progress = disturbed(40, drain)
    assert_same(result, reference)
    after = [one for one in scene.seen() if one.node == drained["node"] and one.at > drained["at"] + 4]
    assert after == []
    assert [one for one in scene.seen() if one.at > drained["at"] + 4], "the other node went on"
    assert [note for note in progress.notes if "about to go away" in note]
    assert result.summary["work"]["retries"] == 0
    next(n for n in two_nodes.nodes if n._node_id == drained["node"]).special = True


@pytest.mark.slow
def test_a_unit_that_always_kills_its_worker(disturbed, scene, tmp_path):
    """One child, on one shard: it ranks last with the reason, every other child keeps its values, and a run that is
    stopped when it is given up goes on without another death."""
    (scene.folder / "sleep").unlink()
    quiet = evolve(scene.config("local", 1, workers=2), tmp_path / "local", config_dir=scene.folder)
    (scene.folder / "poison.json").write_text(json.dumps([first_logit(scene, quiet, "g0000/c0005")]))
    result, _ = disturbed(10**9, None, 1)
    rows = {row["child_id"]: row for row in result.population.to_pylist()}
    guilty = rows.pop("g0000/c0005")
    assert guilty["rank"] == len(rows) + 1
    assert guilty["status"] == "given up, its worker died each time"
    others = {row["child_id"]: row for row in quiet.population.to_pylist() if row["child_id"] in rows}
    for name, row in rows.items():
        assert {k: v for k, v in row.items() if k.startswith("select")} == {
            k: v for k, v in others[name].items() if k.startswith("select")
        }
    assert result.summary["work"]["retries"] == 3
    config, stop = scene.config("ray", 1), At(0, None, "ranks last", pull)
    with pytest.raises(PulledPlug):
        evolve(config, tmp_path / "cut", config_dir=scene.folder, progress=stop)
    resumed = evolve(config, tmp_path / "cut", config_dir=scene.folder, resume=True)
    assert_same(resumed, outputs(result))
    assert resumed.summary["work"]["retries"] == 0


def pull():
    raise PulledPlug


def first_logit(scene, result, child):
    """What a child answers to the first image of shard 2: how its evaluation is recognised on a worker."""
    config = scene.config("local", 1, threads_per_worker=1, device="cpu", gpus_per_worker=0)
    inputs = check_inputs(config, scene.folder)
    row = next(row for row in result.population.to_pylist() if row["child_id"] == child)
    keys = ("mask_seed", "parts", "part", "noise_seed", "sigma", "sign")
    lineage = Lineage().child(Mutation(**{key: row[key] for key in keys}))
    program = make_program(inputs, resolve(inputs.config, Facts(has_gpu=False)))
    with like_a_worker(program):
        evaluator = Evaluator(inputs.parent.model, program)
        return float(evaluator.lineage_outputs(Lineage(), lineage, "select", 2)[0, 0])


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("gpus", [0.5])
def test_fractional_gpus_on_unlike_nodes(two_nodes, scene, reference, tmp_path, gpus):
    """A node with a (pretended) GPU holds two workers of half a GPU; the others have none and hold none."""
    (node,) = two_nodes.add(1, num_cpus=4, num_gpus=1)
    node.special = True
    config = scene.config("ray", gpus_per_worker=gpus, device="cpu")
    result = evolve(config, tmp_path / "run", config_dir=scene.folder)
    assert_same(result, reference)
    assert len({one.pid for one in scene.seen()}) == 2
    assert {one.node for one in scene.seen()} == {node._node_id}


@pytest.mark.slow
def test_what_no_node_can_hold_is_said_at_once(two_nodes, scene, tmp_path):
    started = time.monotonic()
    with pytest.raises(BackendError, match=r"asks for 64 CPU and 0 GPU, the cluster's nodes have 0 CPU / 0 GPU, 1 CPU"):
        evolve(scene.config("ray", cpus_per_worker=64), tmp_path / "run", config_dir=scene.folder)
    assert time.monotonic() - started < 10
    assert not (tmp_path / "run").exists()
