from __future__ import annotations

import dataclasses
import json

import pytest

from evoray.errors import ConfigError
from evoray.study.peers.arms import FIRST, SETTINGS, run_task
from evoray.study.peers.runner import least, run_peers


def only(plan, pattern, **more):
    return dataclasses.replace(plan, only=pattern, **more)


def test_settings_are_tried_at_the_first_seed_and_the_best_of_them_at_the_others(plan):
    loop = only(plan, "*/own-loop")
    for problem in plan.problems():
        write_default(plan, problem)
    named = list(run_peers(loop, peer=run_task))
    assert named[:3] == [f"resnet-0/own-loop at {one}" for one in SETTINGS["own-loop"]]
    tried = [plan.read("resnet-0", "own-loop", one) for one in SETTINGS["own-loop"]]
    best = SETTINGS["own-loop"][least(tried)]
    assert named[3:] == [f"resnet-1/own-loop at {best}"]
    path, found = plan.best("resnet-0", "own-loop")
    assert path == plan.path("resnet-0", "own-loop", best) and found["setting"] == best
    stamps = {path: path.stat().st_mtime_ns for path in (plan.out / "arms").rglob("*.json")}
    assert list(run_peers(loop, peer=run_task)) == [], "what is finished is not repeated"
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    plan.path("resnet-1", "own-loop", best).unlink()
    assert list(run_peers(loop, peer=run_task)) == named[3:]


def write_default(plan, problem):
    """What a peer needs of EvoRay's default: its seconds."""
    path = plan.path(problem, "evoray", None)
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"select": 1.0, "seconds": 0.01}
    path.write_text(json.dumps({"sizes": dataclasses.asdict(plan.sizes), "answers": {"evaluations": told}}))


def test_a_peer_without_the_defaults_seconds_says_what_to_run_first(plan):
    with pytest.raises(ConfigError, match="run that first"):
        list(run_peers(only(plan, "resnet-0/randopt")))


def test_a_pattern_that_means_nothing_names_the_arms(plan):
    with pytest.raises(ConfigError, match=r"resnet-0/… and parent, evoray, evotorch-snes"):
        list(run_peers(only(plan, "*/nobody")))


def test_the_arms_that_matter_most_come_first_over_all_problems(plan):
    from evoray.study.peers.runner import _every

    order = list(_every(plan))
    assert len(order) == 2 * len(SETTINGS) == len(set(order))
    assert [problem for problem, _ in order[: 2 * FIRST]] == ["resnet-0"] * FIRST + ["resnet-1"] * FIRST
    assert [arm for _, arm in order[:FIRST]] == ["parent", "evoray", *(f"evotorch-{one}" for one in PEERS), "own-loop"]


PEERS = ("snes", "pgpe", "cma-es")


def test_of_equals_the_first_is_the_least():
    told = [{"answers": {"evaluations": {"select": one}}} for one in (2.0, 1.0, 1.0)]
    assert least(told) == 1
