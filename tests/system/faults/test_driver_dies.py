"""The driver is killed, it is stopped, its messages are lost: what was finished stays, and the end is the same."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter

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


LOSSES = {"num_failures": 60, "req_failure_prob": 20, "resp_failure_prob": 20, "in_flight_failure_prob": 0}
NO_REPEATS = "import evoray.backends.scheduler; evoray.backends.scheduler.GAIN = 0.0"
"""No unit is done twice for being late: what was done twice was so because its reply was lost."""


def test_lost_and_doubled_messages(two_nodes, scene, reference, tmp_path):
    """A fifth of the requests and a fifth of the replies are lost: those units are sent again, and count once.

    That replies were lost is seen on the workers, which evaluated some children on a shard twice.
    """
    done = {}
    where = {"RAY_ADDRESS": two_nodes.address}
    losses = {"RAY_testing_rpc_failure": json.dumps({"CoreWorkerService.grpc_client.PushTask": LOSSES})}
    for name, settings in (("calm", where), ("lossy", where | losses)):
        scene.clear()
        process = drive(scene, scene.config("ray"), tmp_path / name, environment=settings, first=NO_REPEATS)
        code, errors = finish(process)
        assert code == 0, errors
        assert_same(result_in(tmp_path / name), reference)
        done[name] = Counter(one.what for one in scene.seen())
    calm, lossy = (result_in(tmp_path / name).summary["work"] for name in done)
    assert calm["retries"] == calm["repeated"] == lossy["repeated"] == 0
    twice = done["lossy"] - done["calm"]
    assert done["lossy"].keys() == done["calm"].keys()
    assert twice.total() >= 5, "evaluations whose reply was lost"
    assert lossy["retries"] > 10
    assert lossy["evaluations"] == calm["evaluations"], "and no evaluation counts twice"


def test_sigterm_in_the_middle_of_a_ray_run(two_nodes, scene, reference, tmp_path):
    out, where = tmp_path / "run", {"RAY_ADDRESS": two_nodes.address}
    scene.slow(0.3)
    process = drive(scene, scene.config("ray"), out, environment=where)
    wait_for_more(process, out, 0)
    process.send_signal(signal.SIGTERM)
    code, errors = finish(process)
    assert code == 1 and "go on with resume=True" in errors
    scene.slow(0)
    code, errors = finish(drive(scene, scene.config("ray"), out, resume=True, environment=where))
    assert code == 0, errors
    assert_same(result_in(out), reference)
    assert 0 < evaluations(out) < scene.evaluations
