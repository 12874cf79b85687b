"""The last choices, all made on ``select``: who is in the ensemble, and which soup is handed back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from evoray.ensembles import Member, greedy, weighted
from evoray.evaluation.units.children import Candidate
from evoray.evaluation.units.ensemble import OwnUnit
from evoray.mutation import Lineage, shared_base, soup
from evoray.results.candidates import Candidates
from evoray.search.guards.judge import Guards
from evoray.search.loop import Found
from evoray.search.population import Evaluated
from evoray.search.session import Session
from evoray.search.stages import ROW, Part, Stage, StageKey, run_stage
from evoray.strategies import Ask, Round


@dataclass(frozen=True)
class Choices:
    """What was chosen on ``select``, before ``test`` is opened.

    evaluated: all candidates of the search, in the order asked. best: the fittest child.
    path: the ensemble's NLL on ``select`` step by step, where its method has steps.
    parent_total: the parent's merged sums on ``select``.
    """

    evaluated: Sequence[Evaluated]
    best: Evaluated
    members: tuple[Member, ...]
    path: tuple[float, ...]
    soup: Ask | None
    parent_total: np.ndarray
    guards: Guards = field(default_factory=Guards)
    notes: Sequence[str] = ()
    """What was said of the choices."""


def choose(session: Session, found: Found) -> Choices:
    """All last choices; what they need to look at again is evaluated now."""
    candidates = Candidates(session, found)
    best = candidates.best()
    members, path = choose_members(session, candidates)
    soup = final_soup(session, found, candidates, members)
    members = candidates.ensemble(members) if session.inputs.task.combine else ()  # else they are none
    if members and session.inputs.task.classification is None:
        members = candidates.vote(members)
    evaluated = [found.guards.status(one) for one in found.evaluated]
    return Choices(
        evaluated, best, members, path, soup, found.population.parent_total(), found.guards, candidates.notes
    )


def choose_members(session: Session, candidates: Candidates) -> tuple[tuple[Member, ...], tuple[float, ...]]:
    """(members, path) as ``ensemble.method`` says; ``greedy`` and ``weighted`` look at the candidates once more."""
    config = session.config.ensemble
    if config.method in ("top-k", "majority") or session.inputs.task.combine is None:
        return tuple(Member(one.ask.name, one.ask.lineage) for one in candidates.fittest(config.size)), ()
    pool = candidates.pool(max(config.pool, config.size) if config.method == "greedy" else config.size)
    own = _own_probabilities(session, [one.ask for one in pool])
    while pool:
        selected = greedy(own, config.size) if config.method == "greedy" else weighted(own)
        chosen = [pool[index] for index in selected.indices]
        left = candidates.unbroken(pool, chosen)
        if len(left) == len(pool):
            both = zip(chosen, selected.weights, strict=True)
            return tuple(Member(one.ask.name, one.ask.lineage, weight) for one, weight in both), selected.path
        own, pool = own[left], [pool[index] for index in left]
    return (), ()


def _own_probabilities(session: Session, asks: Sequence[Ask]) -> np.ndarray:
    """float64 [asks, n]: the probability each gives to the true class, on all images of ``select`` in order.

    Not a number for one that is given up: it was evaluated before, but not again, so it is no candidate.
    """
    images = session.splits.images_by_shard("select")
    starts = dict(zip(images, np.cumsum([0, *images.values()]).tolist(), strict=False))
    own = np.full((len(asks), sum(images.values())), math.nan)
    base = shared_base([ask.lineage for ask in asks])

    def unit(shard: int, items: tuple[int, ...]) -> OwnUnit:
        chosen = tuple(Candidate(asks[item].name, asks[item].lineage.tail(base)) for item in items)
        return OwnUnit(base, chosen, "select", shard)

    key = StageKey("ensemble/candidates", Part.MEMBERS)
    stage = Stage(key, [ask.name for ask in asks], images, unit, ROW, shared=(base,))
    for result in run_stage(session, stage):
        if result.value is not None:
            start = starts[result.shard]
            own[result.item, start : start + len(result.value)] = result.value
    return own


def final_soup(session: Session, found: Found, candidates: Candidates, members: Sequence[Member]) -> Ask | None:
    """The soup that is handed back: the strategy's own, or one of the final children where that is fitter.

    ``soup.method``: ``strategy`` leaves it as found; ``uniform`` averages the ensemble's members; ``greedy`` adds the
    fittest children one by one, while each makes the soup no worse (Wortsman et al. 2022, algorithm 1).
    """
    method = session.config.soup.method
    known = {one.ask.lineage: one.fitness for one in found.evaluated}
    made: list[Evaluated] = []
    if method == "uniform" and len(members) > 1:
        kept = candidates.beginning([member.lineage for member in members])
        made = [_evaluate_soup(found, kept, "final/uniform")] if len(kept) > 1 else []
    elif method == "greedy":
        made = _greedy_soup(found, candidates, session.config.soup_size)
    best = found.soup if candidates.holds(found.soup) else None
    best_fitness = known.get(best.lineage if best else Lineage(), -math.inf)
    for one in made:
        if one.fitness > best_fitness:
            best, best_fitness = one.ask, one.fitness
    return best


def _greedy_soup(found: Found, candidates: Candidates, size: int) -> list[Evaluated]:
    """The best soup met on the way, as a list of at most one; a child whose soup breaks a guard is left out of it."""
    order = candidates.fittest(size)
    if not order:
        return []
    kept, best = [order[0].ask.lineage], order[0]
    for one in order[1:]:
        name = f"final/greedy{len(kept) + 1:02d}-{one.ask.name}"
        tried = _evaluate_soup(found, [*kept, one.ask.lineage], name)
        if tried.fitness >= best.fitness and candidates.holds(tried.ask):
            kept.append(one.ask.lineage)
            best = tried
    return [best] if len(kept) > 1 else []


def _evaluate_soup(found: Found, lineages: Sequence[Lineage], name: str) -> Evaluated:
    """A soup's fitness on ``select``; the name is also its stage's, which no generation's soups share."""
    base = shared_base(lineages)
    ask = Ask(name, soup(lineages, base), found.evaluated[-1].ask.generation, "soup")
    (one,) = found.population.evaluate(Round(base, (ask,)), StageKey(name, Part.SOUPS))
    return one
