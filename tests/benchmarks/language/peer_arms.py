"""The arms of ``peers.py`` that are asked: what each rule makes of the same parent, on problems of test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from evoray import Evaluator, RunConfig, evolve
from evoray.commands.common import Bars
from evoray.config.resolve import Facts, resolve
from evoray.data.splits import SearchClosed
from evoray.runtime.events import RoundDone
from evoray.search.inputs import check_inputs
from evoray.search.workers import make_program
from evoray.statistics import compare
from evoray.study.peers import rules as peer_rules
from evoray.tasks.generation.task import Answers
from evoray.tasks.generation.votes import Votes

SEED, VOTERS = 0, 8
ITERATIONS = 2
ES: Mapping[str, Any] = {"sigma": 1e-3, "alpha": 5e-4}
"""Published, for every network; the population is here the evaluations over ITERATIONS."""
SIGMAS = (5e-4, 1e-3, 2e-3)
"""RandOpt's list for language models, as its program's script for one node has it."""
SHARE = 10
"""A tenth of the guesses vote as well: the largest share of that script."""


@dataclass(frozen=True)
class Sizes:
    """Problems of each split, and evaluations on ``select`` of an arm."""

    select: int
    test: int
    evaluations: int


class Network:
    """The parent in an evaluator, as a run's worker has it; ``weights`` are its tensors, to be changed in place."""

    def __init__(self, config: RunConfig, folder: Path) -> None:
        inputs = check_inputs(config, folder)
        config = inputs.config
        self.program = make_program(inputs, resolve(config, Facts(False, config.compute.batch_size, "float32")))
        self.evaluator = Evaluator(inputs.parent.model, self.program)
        self.weights = [one.data for one in self.evaluator.host.model.parameters()]
        self.home = [one.clone() for one in self.weights]

    def go_home(self) -> None:
        """The parent again, bit for bit."""
        for weight, first in zip(self.weights, self.home, strict=True):
            weight.copy_(first)

    def answers(self, split: str) -> Answers:
        """Of the network as its weights now are, to all of a split, in order."""
        shards = self.evaluator.splits.shards(split)
        found = [self.evaluator.outputs(split, shard) for shard in shards]
        return Answers(*(torch.cat(parts) for parts in zip(*found, strict=True)))


class Kept:
    """An arm's answers, in files: one that was stopped changes its weights anew, and asks nothing twice."""

    def __init__(self, network: Network, folder: Path) -> None:
        self._network, self._folder = network, folder
        folder.mkdir(parents=True, exist_ok=True)

    def answers(self, name: str, split: str) -> Answers:
        path = self._folder / f"{split}-{name}.pt"
        if not path.exists():
            part = path.with_suffix(".part")
            torch.save(list(self._network.answers(split)), part)
            os.replace(part, path)
            print(f"{self._folder.name}: {path.stem}, {self.reward(name, split):.4f}", flush=True)
        return Answers(*torch.load(path))

    def reward(self, name: str, split: str = "select") -> float:
        return float(self.answers(name, split).reward.mean())

    def open_test(self) -> None:
        """The last choice is made."""
        self._network.evaluator.splits.open_test(SearchClosed("peers"))


def es_arm(network: Network, folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Two iterations; what they leave is the arm's answer."""
    kept, settings = (
        Kept(network, folder),
        ES | {"population": sizes.evaluations // ITERATIONS, "iterations": ITERATIONS},
    )
    rewards = peer_rules.evolution_strategy(network.weights, kept.reward, seed=SEED, **settings)
    moved = peer_rules.drift(network.weights, network.home)["rms"]
    kept.open_test()
    tuned = kept.answers("tuned", "test")
    network.go_home()
    found = {
        "settings": settings,
        "evaluations": {"children": sizes.evaluations},
        "rewards": rewards,
        "moved_rms": moved,
    }
    return found | against_parent({f"after {ITERATIONS} steps": tuned}, kept.answers("parent", "test"))


def randopt_arm(network: Network, folder: Path, sizes: Sizes) -> dict[str, Any]:
    """The best by ``select`` vote; a vote of fewer and the best alone cost nothing more."""
    kept, settings = Kept(network, folder), {"guesses": sizes.evaluations, "sigmas": SIGMAS}
    guesses = peer_rules.randopt(network.weights, kept.reward, seed=SEED, **settings)
    kept.open_test()
    votes, answers = Votes(), list[Answers]()
    for number in peer_rules.fittest(guesses, VOTERS):
        guess = guesses[number]
        peer_rules.perturb_(network.weights, guess.seed, guess.sigma)
        answers.append(votes.add(kept.answers(f"{number:02d}", "test")))
        peer_rules.restore_(network.weights, guess.seed, guess.sigma)
    network.go_home()
    few = max(1, sizes.evaluations // SHARE)
    voters = {"best child": 1, f"vote of {few}": few, f"vote of {len(answers)}": len(answers)}
    named = {name: answers[count - 1] for name, count in voters.items()}
    found = {
        "settings": settings,
        "evaluations": {"children": sizes.evaluations},
        "guesses": [asdict(one) for one in guesses],
    }
    return found | against_parent(named, kept.answers("parent", "test"))


def against_parent(named: Mapping[str, Answers], parent: Answers) -> dict[str, Any]:
    """Test figures, compared as a run's summary compares them."""
    theirs, found = parent.reward.numpy(), {}
    for name, answers in named.items():
        ours = answers.reward.numpy()
        one = compare(name, "reward", ours, theirs, shares=False, higher_is_better=True).to_dict()
        found[name] = {"test": float(ours.mean()), **{key: one[key] for key in ("difference", "ci95", "p_value")}}
    return {"parent": float(theirs.mean()), "networks": found}


class Rounds:
    """Counts the networks that a run looks at on all of ``select``, by kind."""

    def __init__(self) -> None:
        self.counted: dict[str, int] = {}

    def observe(self, event: object) -> None:
        if isinstance(event, RoundDone):
            self.counted[event.kind] = self.counted.get(event.kind, 0) + event.candidates


def own_arm(config: RunConfig, data: Path, out: Path) -> dict[str, Any]:
    """EvoRay's run, as a user begins it."""
    rounds = Rounds()
    with Bars("the same command goes on") as bars:
        summary = evolve(config, out, config_dir=data, resume="auto", progress=bars, observers=[rounds]).summary
    sigma = summary["mutation"].get("sigma_chosen") or {"images": 0}
    better = summary["children"]["better_on_select"]
    spent = {"children": better["n"], "soups": rounds.counted.get("soup", 0)}
    spent["sigma"] = sigma["images"] / summary["splits"]["select"]
    against = {one["name"]: one for one in summary["comparisons"] if one["metric"] == "reward"}
    named = {"best_child": "best child", "soup": "soup", "ensemble": f"vote of {VOTERS}"}
    return {
        "settings": {"sigma": summary["mutation"]["sigma"], "scale": config.mutation.scale, "parts": 10},
        "evaluations": spent,
        "parent": summary["parent"]["test"]["reward"],
        "networks": {to: {"test": summary[name]["reward"], **against.get(name, {})} for name, to in named.items()},
        "better_on_select": better,
        "stages": summary["work"]["stages"],
    }
