"""How much a run will evaluate, stage by stage, as far as that is known before it begins.

Rounds are counted by asking the strategy itself and telling it fitnesses drawn by chance, so steps that hang on what
is found (soups that are tried, a race that ends early) are about right, or an upper bound where that is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evoray.config import RunConfig
from evoray.results.final_test import SAMPLE_LEAST, SAMPLE_MOST, SAMPLE_SHARE
from evoray.runtime.auto import given
from evoray.search.auto_sigma import COST, LEAST_IMAGES
from evoray.search.inputs import Inputs
from evoray.search.window import SIGMAS
from evoray.statistics import top_k
from evoray.strategies import make_strategy

TOLD = 20_000
"""Children of a run whose strategy is asked; of more, children are counted and nothing else."""
CLOSER = 3
"""Sigmas around the best one, each a pair of children (``search/auto_sigma.py``)."""


@dataclass(frozen=True)
class Stage:
    """Candidates that are evaluated on so many records each. bound: why it may be less or more; empty where exact."""

    name: str
    candidates: int
    records: int
    shards: int
    bound: str = ""

    @property
    def passes(self) -> int:
        """Records times candidates."""
        return self.candidates * self.records

    @property
    def evaluations(self) -> int:
        """Candidates times shards."""
        return self.candidates * self.shards


def stages_of(inputs: Inputs) -> list[Stage]:
    """Every stage of a run that evaluates anything, in order."""
    return [stage for stage in _all(inputs) if stage.candidates]


def _all(inputs: Inputs) -> Iterator[Stage]:
    config, splits = inputs.config, inputs.splits
    select, shards = splits.images("select"), len(splits.shards("select"))
    if config.mutation.sigma_is_auto:
        yield _auto_sigma(config, select)
    children, others, bound = _rounds(config)
    yield _children(config, children, select, shards)
    yield Stage("parent, soups and steps of the search", others, select, shards, bound)
    yield from _choices(config, inputs, select, shards)
    yield from _final(config, inputs, children)
    for guard in inputs.guards:
        own = guard.inputs.splits
        judged = min(guard.candidates, config.search.children) * (config.search.generations + 1)
        yield Stage(f"guard {guard.name}", judged, own.images("select"), len(own.shards("select")), "at most")


def _auto_sigma(config: RunConfig, select: int) -> Stage:
    """Pairs at each sigma, on as many records as its share of the run pays for."""
    pairs = 2 * (len(SIGMAS) + CLOSER)
    budget = COST * config.search.children * config.search.generations * select
    records = min(select, max(LEAST_IMAGES, round(budget / pairs)))
    return Stage('sigma = "auto"', pairs, records, 1, "about")


def _children(config: RunConfig, children: int, select: int, shards: int) -> Stage:
    if not config.search.racing:
        return Stage("children", children, select, shards)
    first = top_k.schedule(select)[0]
    return Stage("children", children, select, shards, f"at most; racing drops some after {first:,} of them")


def _rounds(config: RunConfig) -> tuple[int, int, str]:
    """(children, other candidates, how well that is known) of all generations."""
    planned = config.search.children * config.search.generations
    if planned > TOLD:
        return planned, 1 + config.search.generations, "about"
    strategy, random = make_strategy(config.with_sigma(config.mutation.one_sigma or 1.0)), np.random.default_rng(0)
    children = others = 0
    while (asked := strategy.ask()) is not None:
        found = sum(ask.kind == "child" for ask in asked.asks)
        children, others = children + found, others + len(asked.asks) - found
        strategy.tell([0.0 if ask.kind == "parent" else float(random.normal()) for ask in asked.asks])
    return children, others, "about" if others > 1 else ""


def _choices(config: RunConfig, inputs: Inputs, select: int, shards: int) -> Iterator[Stage]:
    """What is looked at once more on ``select``, to choose members and a soup."""
    ensemble, combined = config.ensemble, inputs.task.combine is not None
    if combined and ensemble.method in ("greedy", "weighted"):
        pool = max(ensemble.pool, ensemble.size) if ensemble.method == "greedy" else ensemble.size
        yield Stage("members to choose from", min(pool, config.search.children), select, shards)
    if config.soup.method == "uniform":
        yield Stage("the uniform soup", 1, select, shards)
    elif config.soup.method == "greedy":
        yield Stage("greedy soups", min(config.soup_size, config.search.children) - 1, select, shards, "at most")
    members = ensemble.size if combined and ensemble.temperature else 0
    yield Stage("last look at select", 1 + members, select, shards)


def _final(config: RunConfig, inputs: Inputs, children: int) -> Iterator[Stage]:
    """Parent, best child, soup and members on ``test``, and children drawn by chance."""
    test, rows = inputs.splits.images("test"), inputs.splits.images("select")
    shards = _test_shards(inputs)
    members = min(config.ensemble.size, children) if inputs.task.combine is not None else 0
    networks = 3 + int(config.soup.recalibrate) + members
    yield Stage("final test", networks, test, shards)
    asked = given(config.statistics.children_on_test)
    if asked is None:
        asked = min(max(round(SAMPLE_SHARE * (children + 1) * rows / max(test, 1)), SAMPLE_LEAST), SAMPLE_MOST)
    yield Stage("children by chance on test", min(asked, children), test, shards)


def _test_shards(inputs: Inputs) -> int:
    """About how many, for rows of ``test`` are not to be asked for before the search is over."""
    select = inputs.splits.datasets["select"].shard_rows
    if inputs.config.data.test_path is None:
        return len(select)
    return max(1, math.ceil(inputs.splits.described["test"].rows / max(select, default=1)))
