"""EvoRay's arms: each built-in strategy with its defaults and ``sigma = "auto"``, as ``evolve`` runs it on one core.

A run has the default number of children a generation, as many generations as the evaluations allow, and as many more
children as then fit. All that is evaluated on the images that choose counts: the parent, children, soups, centres, and
the probes that find sigma. The clock runs from the run's first evaluation to the end of its last round.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evoray.config import RunConfig, parse_config
from evoray.evolution import evolve
from evoray.models import canonical_state, mutable_names
from evoray.mutation import Lineage, Space, apply_lineage
from evoray.runs.run import load_run
from evoray.runtime.events import Event, RoundDone, StageStarted
from evoray.search.auto_sigma import COST
from evoray.strategies.decomposition import soup_plan
from evoray.strategies.moving_centre import FACTORS
from evoray.study.peers.problem import BATCH, Problem, Sizes

DENSE = {"parts": 1}
OVERLAYS: Mapping[str, Mapping[str, Any]] = {
    "evoray": {},
    "evoray-10": {"search": {"children": 10, "elite": 2}},
    "evoray-one-plus-lambda": {"search": {"strategy": "one-plus-lambda"}},
    "evoray-mu-lambda": {"search": {"strategy": "mu-lambda"}},
    "evoray-es-dense": {"search": {"strategy": "evolution-strategy"}, "mutation": DENSE},
    "evoray-es-sparse": {"search": {"strategy": "evolution-strategy"}},
    "evoray-cma-es": {"search": {"strategy": "cma-es"}},
    "evoray-randopt": {"search": {"strategy": "randopt"}},
}
"""Laid over a run whose other keys are the defaults."""


@dataclass(frozen=True)
class OwnRun:
    """What a run came to: its cost, the recipe of its one network (the soup, or the best child where that is better on
    the images that choose), and its ensemble's figures on ``test``. curve: (seconds, evaluations, lowest NLL)."""

    seconds: float
    evaluations: float
    select: float
    lineage: Lineage
    ensemble: Mapping[str, float]
    search: Mapping[str, Any]
    curve: list[tuple[float, float, float]]


@dataclass
class Watch:
    """An observer: CPU seconds and images since the first stage, and the lowest loss, at the end of each round."""

    images: int = 0
    begun: float | None = None
    rounds: list[tuple[float, int, float]] = field(default_factory=list)
    losses: dict[str, float] = field(default_factory=dict)
    """Mean NLL of each candidate on the images that choose, by name."""

    def observe(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self.begun = time.process_time() if self.begun is None else self.begun
            self.images += event.images
        elif isinstance(event, RoundDone) and self.begun is not None:
            now = time.process_time() - self.begun
            self.losses |= {one.name: one.value for one in event.seen if one.value is not None}
            self.rounds.append((now, self.images, min(self.losses.values())))


def generations_of(config: RunConfig, evaluations: int) -> dict[str, int]:
    """``[search]``'s numbers for so many evaluations, whatever they are spent on.

    A round of children costs 1 + COST each with the probes for sigma; a decomposition's soups, or the lengths of
    a step that are tried, come on top, and the parent once.
    """
    strategy, each = config.search.strategy, 1 + COST
    soups = len(list(soup_plan(config.elite))) if strategy == "decomposition" else 0
    beside = soups or (len(FACTORS) if strategy in ("mu-lambda", "evolution-strategy", "cma-es") else 0)
    most = (evaluations - 1) / (config.search.children * each + beside)
    generations = 1 if strategy == "randopt" else max(1, int(most))
    children = int(((evaluations - 1) / generations - beside) / each)
    return {"children": max(children, 4), "generations": generations}


def run_config(problem: Problem, arm: str, evaluations: int) -> RunConfig:
    """The run of an arm, as a user would write it, for this problem."""
    overlay = OVERLAYS[arm]
    values: dict[str, Any] = {
        "seed": problem.seed,
        "parent": {
            "source": "module",
            "name": f"evoray.models.small:{problem.architecture}",
            "weights": str(problem.weights),
        },
        "data": {"path": str(problem.select), "test_path": str(problem.test), "select": 1.0, "test": 1.0},
        "mutation": {"sigma": "auto", **overlay.get("mutation", {})},
        "search": dict(overlay.get("search", {})),
        "statistics": {"children_on_test": 0},
        "compute": {
            "backend": "local",
            "workers": 1,
            "threads_per_worker": 1,
            "batch_size": BATCH,
            "dtype": "float32",
        },
    }
    values["search"] |= generations_of(parse_config(values), evaluations)
    return parse_config(values)


def run_own(problem: Problem, arm: str, sizes: Sizes, out: Path) -> OwnRun:
    """One run in ``out``; one that was stopped begins anew, since its clock would be wrong."""
    config, watch = run_config(problem, arm, sizes.evaluations), Watch()
    evolve(config, out, page=False, observers=[watch])
    run = load_run(str(out))
    summary = run.summary
    ids = {"best": summary["best_child"]["id"]} | ({"soup": summary["soup"]["id"]} if "soup" in summary else {})
    losses = {name: watch.losses[one] for name, one in ids.items()}
    name = min(losses, key=lambda one: losses[one])
    seconds, images, _ = watch.rounds[-1]
    ensemble = {key: summary["ensemble"][key] for key in ("nll", "top1")}
    search = {**config.search.model_dump(include={"strategy", "children", "generations"}), "answer": name}
    search["sigma"] = summary["mutation"]["sigma"]
    curve = [(at, count / sizes.select, loss) for at, count, loss in watch.rounds]
    return OwnRun(seconds, images / sizes.select, losses[name], run.lineage(name), ensemble, search, curve)


def rebuilt(parent: nn.Module, lineage: Lineage) -> dict[str, Tensor]:
    """The tensors that a recipe changes, as it makes them of the parent."""
    state = canonical_state(parent)[0]
    space = Space.from_state(state, mutable_names(parent, ("*",), ()), "rms")
    flat = apply_lineage(space.flatten(state), space, lineage.entries)
    return {name: torch.as_tensor(one) for name, one in space.unflatten(flat).items()}
