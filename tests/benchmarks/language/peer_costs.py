"""What a child costs by each rule of ``peers.py``, and how far a hundred of them leave the weights from home."""

from __future__ import annotations

import copy
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peer_arms import ES, SEED, SIGMAS, Network
from run import write
from torch import Tensor, nn

from evoray import ModelHost, RunConfig, Space
from evoray.mutation import Lineage
from evoray.strategies import draw_mutation
from evoray.study.peers import rules as peer_rules

ROUNDS, REPEATS = 100, 3
"""Children a rule: of the drift, and of those that are asked and timed."""
DTYPES = ("float32", "bfloat16")
RULES = ("es", "sparse", "randopt")
Way = tuple[Callable[[int], None], Callable[[int], None]]
"""Changes a network into a child of some number, and back."""


def seconds_arm(network: Network, config: RunConfig) -> dict[str, Any]:
    """What a child of each rule costs, in turn, so that the machine's load is the same for all: changed, asked on all
    of ``select``, changed back. CPU seconds of this process, and wall seconds; medians."""
    ways = ways_of(network.evaluator.host, network.weights, config)
    found: dict[str, dict[str, list[float]]] = {rule: {} for rule in RULES}
    for number in range(REPEATS):
        for rule in RULES:
            change, undo = ways[rule]
            steps = {"perturb": (change, number), "evaluate": (network.answers, "select"), "restore": (undo, number)}
            for name, step in steps.items():
                wall, cpu = timed(*step)
                for key, seconds in ((f"{name}_cpu_s", cpu), (f"{name}_wall_s", wall)):
                    found[rule].setdefault(key, []).append(seconds)
            network.go_home()
    medians = {rule: {key: statistics.median(one) for key, one in of.items()} for rule, of in found.items()}
    return {"repeats": REPEATS, "rules": medians, "all": found}


def ways_of(host: ModelHost, weights: Sequence[Tensor], config: RunConfig) -> dict[str, Way]:
    """Each rule on the network of a host."""

    def by(sigma_of: Callable[[int], float]) -> Way:
        return (
            lambda number: peer_rules.perturb_(weights, number, sigma_of(number)),
            lambda number: peer_rules.restore_(weights, number, sigma_of(number)),
        )

    def sparse(number: int) -> None:
        recipe = draw_mutation(config.mutation, config.mutation.one_sigma, SEED, 0, number)
        host.apply(host.draw(Lineage().child(recipe).entries))

    return {
        "es": by(lambda number: ES["sigma"]),
        "randopt": by(lambda number: SIGMAS[number % len(SIGMAS)]),
        "sparse": (sparse, lambda number: host.undo()),
    }


def timed(step: Callable[[Any], Any], given: Any) -> tuple[float, float]:
    """(wall seconds, CPU seconds of this process)"""
    wall, cpu = time.perf_counter(), time.process_time()
    step(given)
    return time.perf_counter() - wall, time.process_time() - cpu


def drift_arm(model: nn.Module, space: Space, config: RunConfig, folder: Path) -> dict[str, Any]:
    """Every rule's children in each type, none of them asked anything: how far the weights are from home afterwards.

    What is done is kept in ``folder``.
    """
    path, found = folder / "drift.json", dict[str, Any]()
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
    for dtype in DTYPES:
        left = [rule for rule in RULES if f"{rule} {dtype}" not in found]
        if not left:
            continue
        host = ModelHost(copy.deepcopy(model), space, "cpu", getattr(torch, dtype))
        weights = [one.data for one in host.model.parameters()]
        home = [one.clone() for one in weights]
        trips = round_trips(host, weights, config)
        for rule in left:
            for number in range(ROUNDS):
                trips[rule](number)
            found[f"{rule} {dtype}"] = peer_rules.drift(weights, home)
            for weight, first in zip(weights, home, strict=True):
                weight.copy_(first)
            write(path, json.dumps(found))
            print(f"drift: {rule} {dtype}: {found[f'{rule} {dtype}']}", flush=True)
    return {"rounds": ROUNDS, "weights": space.n, "rules": found}


def round_trips(host: ModelHost, weights: Sequence[Tensor], config: RunConfig) -> dict[str, Callable[[int], None]]:
    """Each rule's way to a child and back; the peers' noise is drawn once for both, which changes no bit."""
    change, undo = ways_of(host, weights, config)["sparse"]

    def sparse(number: int) -> None:
        change(number)
        undo(number)

    return {
        "es": lambda number: peer_rules.there_and_back_(weights, number, ES["sigma"]),
        "sparse": sparse,
        "randopt": lambda number: peer_rules.there_and_back_(weights, number, SIGMAS[number % len(SIGMAS)]),
    }
