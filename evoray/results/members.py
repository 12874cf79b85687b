"""The last choices, all made on ``select``: who is in the ensemble, and which soup is handed back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evoray.backends import Job
from evoray.ensembles import Member, greedy, top_k, weighted
from evoray.evaluation.units.children import Candidate
from evoray.evaluation.units.ensemble import OwnUnit
from evoray.mutation import Lineage, soup
from evoray.search.population import Judged, judge_round
from evoray.search.session import OpenRun
from evoray.strategies import Ask, Round

STAGE = "ensemble/candidates"


@dataclass(frozen=True)
class Chosen:
    """The ensemble's members, and the NLL on ``select`` step by step where the method has steps."""

    members: tuple[Member, ...]
    path: tuple[float, ...] = ()


def fittest(judged: Sequence[Judged], count: int) -> list[Judged]:
    """The best children of the run, at most ``count``; failures are never among them."""
    children = [one for one in judged if one.ask.kind == "child"]
    return [children[index] for index in top_k([one.fitness for one in children], count)]


def choose_members(run: OpenRun, judged: Sequence[Judged]) -> Chosen:
    """Members as ``ensemble.method`` says; ``greedy`` and ``weighted`` look at the candidates once more."""
    config = run.config.ensemble
    if config.method in ("top-k", "majority"):
        return Chosen(tuple(Member(one.ask.name, one.ask.lineage) for one in fittest(judged, config.size)))
    pool = fittest(judged, max(config.pool, config.size) if config.method == "greedy" else config.size)
    own = _own_probabilities(run, [one.ask for one in pool])
    found = greedy(own, config.size) if config.method == "greedy" else weighted(own)
    members = [
        Member(pool[index].ask.name, pool[index].ask.lineage, weight)
        for index, weight in zip(found.indices, found.weights, strict=True)
    ]
    return Chosen(tuple(members), found.path)


def _own_probabilities(run: OpenRun, asks: Sequence[Ask]) -> np.ndarray:
    """float64 [asks, n]: the probability each gives to the true class, on all images of ``select`` in order."""
    splits = run.inputs.splits
    shards = splits.shards("select")
    base = shared_base([ask.lineage for ask in asks])
    position = {ask.name: number for number, ask in enumerate(asks)}
    parts: dict[tuple[int, int], np.ndarray] = {
        (position[name], shard): np.frombuffer(payload) for name, shard, payload in run.known.take(STAGE)
    }
    work = {shard: [number for number in range(len(asks)) if (number, shard) not in parts] for shard in shards}

    def unit(shard: int, items: tuple[int, ...]) -> OwnUnit:
        chosen = tuple(Candidate(asks[item].name, asks[item].lineage.tail(base)) for item in items)
        return OwnUnit(base, chosen, "select", shard)

    for shard, number, value, failure in run.outcomes(STAGE, Job(work, unit, (base,), "select")):
        if failure is not None:  # it was judged before, but not again: it is no candidate
            value = np.full(len(splits.rows["select"][shard]), math.nan)
        parts[number, shard] = value
        run.images += len(value)
        run.journal.add((STAGE, asks[number].name, shard), value.tobytes())
    return np.stack([np.concatenate([parts[number, shard] for shard in shards]) for number in range(len(asks))])


def shared_base(lineages: Sequence[Lineage]) -> Lineage:
    """The longest beginning that all lineages have in common, short of any whole one."""
    columns = zip(*(one.entries[:-1] for one in lineages), strict=False)
    length = 0
    for column in columns:
        if any(entry != column[0] for entry in column):
            break
        length += 1
    return Lineage(lineages[0].entries[:length]) if lineages else Lineage()


def final_soup(run: OpenRun, judged: Sequence[Judged], found: Ask | None, members: Sequence[Member]) -> Ask | None:
    """The soup that is handed back: the strategy's own, or one of the final children where that is fitter.

    ``soup.method``: ``strategy`` leaves it as found; ``uniform`` averages the ensemble's members; ``greedy`` adds the
    fittest children one by one, while each makes the soup no worse (Wortsman et al. 2022, algorithm 1).
    """
    method = run.config.soup.method
    known = {one.ask.lineage: one.fitness for one in judged}
    made: list[Judged] = []
    if method == "uniform" and len(members) > 1:
        made = [_judge_soup(run, judged, [member.lineage for member in members], "final/uniform")]
    elif method == "greedy":
        made = _greedy_soup(run, judged)
    best, best_fitness = found, known.get(found.lineage if found else Lineage(), -math.inf)
    for one in made:
        if one.fitness > best_fitness:
            best, best_fitness = one.ask, one.fitness
    return best


def _greedy_soup(run: OpenRun, judged: Sequence[Judged]) -> list[Judged]:
    """The best soup met on the way, as a list of at most one."""
    order = fittest(judged, run.config.ensemble.size)
    kept, best = [order[0].ask.lineage], replace(order[0])
    for one in order[1:]:
        tried = _judge_soup(run, judged, [*kept, one.ask.lineage], f"final/greedy{len(kept) + 1:02d}-{one.ask.name}")
        if tried.fitness >= best.fitness:
            kept.append(one.ask.lineage)
            best = tried
    return [best] if len(kept) > 1 else []


def _judge_soup(run: OpenRun, judged: Sequence[Judged], lineages: Sequence[Lineage], name: str) -> Judged:
    base = shared_base(lineages)
    ask = Ask(name, soup(lineages, base), judged[-1].ask.generation, "soup")
    return judge_round(run, Round(base, (ask,)))[0]
