"""The peers' rules on tensors of a few numbers, their arms on a network that is asked nothing, and the table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from evoray import ModelHost, Space, parse_config
from evoray.models import canonical_state
from evoray.runtime.events import RoundDone
from evoray.study.peers import rules as peer_rules
from evoray.tasks.generation.task import Answers

FOLDER = Path(__file__).parents[2] / "benchmarks" / "language"
NAMES = ("run", "peer_arms", "peer_costs", "peers")
CONFIG = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}


@pytest.fixture(scope="module")
def parts():
    """The study's modules, which import each other by their bare names."""
    before = {name: sys.modules.pop(name, None) for name in NAMES}
    sys.path.insert(0, str(FOLDER))
    try:
        yield SimpleNamespace(**{name: __import__(name) for name in NAMES})
    finally:
        sys.path.remove(str(FOLDER))
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def weights(dtype=torch.float32):
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in ((40, 3), (120,))]


class Network:
    """Right on more problems the larger its weights are; counts what it is asked."""

    def __init__(self, sealed=True):
        self.weights, self.home, self.asked, self.open = weights(), weights(), [], not sealed
        self.evaluator = SimpleNamespace(splits=SimpleNamespace(open_test=lambda closed: setattr(self, "open", True)))

    def go_home(self):
        for weight, first in zip(self.weights, self.home, strict=True):
            weight.copy_(first)

    def answers(self, split):
        assert split == "select" or self.open, "test is asked before the last choice"
        self.asked.append(split)
        level = float(sum(one.sum() for one in self.weights))
        right = [float(np.sin(100 * level + number) > 0) for number in range(16)]
        keys = torch.tensor([int(one) for one in right])
        zeros = torch.zeros(16, dtype=torch.int64)
        return Answers(zeros.int()[:, None], torch.tensor(right, dtype=torch.float64), keys, zeros)


@pytest.mark.parametrize(("arm", "on_test"), [("es_arm", 2), ("randopt_arm", 9)])
def test_a_stopped_arm_asks_nothing_twice_and_ends_alike(parts, tmp_path, arm, on_test):
    sizes, whole = parts.peer_arms.Sizes(16, 16, 10), Network()
    run = getattr(parts.peer_arms, arm)
    wanted = run(whole, tmp_path / "whole", sizes)
    assert (whole.asked.count("select"), whole.asked.count("test")) == (10, on_test)
    assert peer_rules.drift(whole.weights, whole.home)["same_bits"]

    stopped = Network()
    answer, calls = stopped.answers, []

    def until(split):
        calls.append(split)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return answer(split)

    stopped.answers = until
    with pytest.raises(KeyboardInterrupt):
        run(stopped, tmp_path / "stopped", sizes)
    again = Network()
    assert run(again, tmp_path / "stopped", sizes) == wanted
    assert again.asked.count("select") == 3
    assert wanted["evaluations"] == {"children": 10} and 0 <= wanted["parent"] <= 1


def test_answers_are_compared_as_a_run_compares_them(parts):
    rng = np.random.default_rng(0)
    ours, theirs = (rng.integers(0, 2, 40).astype(float) for _ in range(2))
    answers = [SimpleNamespace(reward=torch.from_numpy(one)) for one in (ours, theirs)]
    found = parts.peer_arms.against_parent({"one": answers[0]}, answers[1])
    differences = ours - theirs
    half = 2.0226909 * differences.std(ddof=1) / np.sqrt(40)  # Student's t, 39 degrees of freedom
    one = found["networks"]["one"]
    assert found["parent"] == theirs.mean() and one["test"] == ours.mean()
    assert one["difference"] == pytest.approx(differences.mean())
    assert one["ci95"] == pytest.approx([differences.mean() - half, differences.mean() + half])


def test_a_run_of_our_own_counts_what_it_spends(parts, tmp_path, monkeypatch):
    gain = {"name": "best_child", "metric": "reward", "difference": 0.1, "ci95": [-0.1, 0.3]}
    summary = {
        "mutation": {"sigma": 0.05, "sigma_chosen": {"images": 96}},
        "splits": {"select": 64, "test": 128},
        "comparisons": [gain, gain | {"metric": "answer_tokens"}],
        "parent": {"test": {"reward": 0.25}},
        **{name: {"reward": 0.5} for name in ("best_child", "soup", "ensemble")},
        "children": {"better_on_select": {"count": 3, "n": 32}},
        "work": {"stages": {}},
    }

    def evolve(config, out, observers, **how):
        for kind, candidates in (("parent", 1), ("child", 32), ("soup", 7), ("soup", 2)):
            observers[0].observe(RoundDone(0, kind, candidates, 0, 0.5, 0.5, 1.0))
        assert how["resume"] == "auto"
        return SimpleNamespace(summary=summary)

    monkeypatch.setattr(parts.peer_arms, "evolve", evolve)
    config = parts.peers.arm_config(
        parse_config(CONFIG, "a test"), parts.peers.OURS["sparse-0.001"], parts.peer_arms.Sizes(64, 128, 32)
    )
    assert (config.search.children, config.mutation.sigma, config.mutation.scale) == (32, 1e-3, "absolute")
    found = parts.peer_arms.own_arm(config, tmp_path, tmp_path / "run")
    assert found["evaluations"] == {"children": 32, "soups": 9, "sigma": 1.5}
    assert found["networks"]["best child"]["difference"] == 0.1 and "difference" not in found["networks"]["soup"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_our_children_leave_no_bit_behind_and_the_peers_do(parts, dtype):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(30, 40), torch.nn.Linear(40, 5))
    space = Space.from_state(canonical_state(model)[0], [name for name, _ in model.named_parameters()], "absolute")
    host = ModelHost(model, space, "cpu", getattr(torch, dtype))
    held = [one.data for one in host.model.parameters()]
    home = [one.clone() for one in held]
    config = parse_config({**CONFIG, "mutation": parts.peers.OURS["sparse-0.001"]}, "a test")
    trips = parts.peer_costs.round_trips(host, held, config)
    change, _ = parts.peer_costs.ways_of(host, held, config)["sparse"]
    change(0)
    changed = peer_rules.drift(held, home)["share_differing"]
    host.undo()
    assert 0.02 < changed < 0.2, "a tenth of the weights"
    for rule, same in (("sparse", True), ("es", False), ("randopt", False)):
        for number in range(20):
            trips[rule](number)
        assert peer_rules.drift(held, home)["same_bits"] is same, rule


def test_the_drift_goes_on_where_it_was_stopped(parts, tmp_path, monkeypatch):
    model = torch.nn.Linear(6, 6)
    space = Space.from_state(canonical_state(model)[0], ["weight", "bias"], "absolute")
    config = parse_config({**CONFIG, "mutation": parts.peers.OURS["sparse-0.001"]}, "a test")
    wanted = parts.peer_costs.drift_arm(model, space, config, tmp_path)
    assert len(wanted["rules"]) == 6 and wanted["weights"] == 42
    monkeypatch.setattr(parts.peer_costs, "ModelHost", None)  # not made again
    assert parts.peer_costs.drift_arm(model, space, config, tmp_path) == wanted


DRIFT = {"largest": 2e-6, "rms": 4.5e-8, "share_differing": 0.9, "same_bits": False}
NONE = {"largest": 0.0, "rms": 0.0, "share_differing": 0.0, "same_bits": True}


def found_arms():
    gain = {"test": 0.25, "difference": 0.0078, "ci95": [-0.01, 0.0256]}
    cost = {"perturb_cpu_s": 1.0, "evaluate_cpu_s": 20.0, "restore_cpu_s": 0.9}
    drift = {f"{rule} {dtype}": NONE if rule == "sparse" else DRIFT for rule in ("es", "sparse") for dtype in "x"}
    drift = {f"{name[:-1]}{dtype}": one for name, one in drift.items() for dtype in ("float32", "bfloat16")}
    return {
        "es": {"parent": 0.2422, "evaluations": {"children": 32}, "networks": {"after 2 steps": gain}},
        "sparse-auto": {
            "parent": 0.2422,
            "evaluations": {"children": 32, "soups": 9, "sigma": 1.5},
            "networks": {"soup": {"test": 0.2422}},
        },
        "seconds": {"rules": {"es": cost, "sparse": cost | {"restore_cpu_s": 0.1}}},
        "drift": {"rules": drift},
    }


def test_the_table(parts):
    lines = parts.peers.markdown(found_arms()).splitlines()
    assert lines[2] == "| parent |  |  | 24.22% |  |  |  |  |  |"
    assert lines[3] == (
        "| es-at-scale | after 2 steps | 32 | 25.00%, +0.8 [−1.0, +2.6] | 21.9 | 0.9 | 2e−06, rms 4.5e−08 "
        "| 2e−06, rms 4.5e−08 | no |"
    )
    assert lines[4] == (
        "| EvoRay, sigma found | soup | 32 + 1.5 for sigma + 9 for soups | 24.22% | 21.1 | 0.1 | 0, rms 0 | 0, rms 0 "
        "| yes |"
    )


def test_a_table_of_some_arms_leaves_the_rest_out(parts):
    lines = parts.peers.markdown({"es": found_arms()["es"]}).splitlines()
    assert lines[3].endswith("| – | – | – | – | – |") and len(lines) == 4
    assert len(parts.peers.markdown({}).splitlines()) == 2


def test_a_parent_that_answers_otherwise_in_an_arm_is_seen(parts):
    found = found_arms()
    found["sparse-auto"]["parent"] = 0.25
    assert parts.peers.markdown(found).splitlines()[2].startswith("| parent |  |  | 24.22% or 25.00% |")


def test_finished_arms_are_not_repeated(parts, tmp_path, monkeypatch):
    asked = []

    def run_arm(arm, work, sizes):
        asked.append(arm)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return found_arms().get(arm, {"parent": 0.5, "evaluations": {"children": 1}, "networks": {}})

    monkeypatch.setattr(parts.peers, "run_arm", run_arm)
    arguments = ["peers.py", str(tmp_path / "results"), "--work", str(tmp_path / "work"), "--arms", "es", "sparse-auto"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(KeyboardInterrupt):
        parts.peers.main()
    parts.peers.main()
    assert asked == ["es", "sparse-auto", "sparse-auto"]
    one = json.loads((tmp_path / "results" / "es.json").read_text())
    assert one["arm"] == "es" and "cores" in one["device"]
    assert len((tmp_path / "results" / "peers.md").read_text().splitlines()) == 5
