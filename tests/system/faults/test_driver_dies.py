"""The driver is killed, it is stopped, its messages are lost: what was finished stays, and the end is the same."""

from __future__ import annotations

import json
import random
import signal
import time

import pytest
from driving import drive, finish, journalled, result_in, wait_for_more
from scenes import assert_same

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def test_the_driver_is_killed_five_times(two_nodes, scene, reference, tmp_path):
    """SIGKILL at a random moment after a further part of the journal is on disk; resumed each time."""
    out, chance = tmp_path / "run", random.Random(0)
    where = {"RAY_ADDRESS": two_nodes.address}
    scene.slow(0.3)
    for attempt in range(5):
        begun = journalled(out)
        process = drive(scene, scene.config("ray"), out, resume=attempt > 0, environment=where)
        wait_for_more(process, out, begun)
        time.sleep(chance.uniform(0, 2.5))
        process.kill()
        assert finish(process)[0] == -signal.SIGKILL, "it was in the middle of its work"
    scene.slow(0)
    code, errors = finish(drive(scene, scene.config("ray"), out, resume=True, environment=where))
    assert code == 0, errors
    assert_same(result_in(out), reference)
    assert 0 < evaluations(out) < scene.evaluations, "what was finished is not done again"


def evaluations(out):
    """Children x shards that the last process had evaluated; repeats count once."""
    return result_in(out).summary["work"]["evaluations"]


LOSSES = {
    "CoreWorkerService.grpc_client.PushTask": {
        "num_failures": 60,
        "req_failure_prob": 20,
        "resp_failure_prob": 20,
        "in_flight_failure_prob": 0,
    }
}


def test_lost_and_doubled_messages(two_nodes, scene, reference, tmp_path):
    """A fifth of the requests and a fifth of the replies are lost: those units are sent again, and count once."""
    settings = {"RAY_ADDRESS": two_nodes.address, "RAY_testing_rpc_failure": json.dumps(LOSSES)}
    code, errors = finish(drive(scene, scene.config("ray"), tmp_path / "run", environment=settings))
    assert code == 0, errors
    assert_same(result_in(tmp_path / "run"), reference)
    assert result_in(tmp_path / "run").summary["work"]["retries"] > 0


def test_sigterm_in_the_middle_of_a_ray_run(two_nodes, scene, reference, tmp_path):
    out, where = tmp_path / "run", {"RAY_ADDRESS": two_nodes.address}
    scene.slow(0.3)
    process = drive(scene, scene.config("ray"), out, environment=where)
    wait_for_more(process, out, 0)
    process.send_signal(signal.SIGTERM)
    code, errors = finish(process)
    assert code == 1 and "go on with --resume" in errors
    scene.slow(0)
    code, errors = finish(drive(scene, scene.config("ray"), out, resume=True, environment=where))
    assert code == 0, errors
    assert_same(result_in(out), reference)
    assert 0 < evaluations(out) < scene.evaluations
