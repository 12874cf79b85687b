"""A round as a race: children are evaluated subset by subset of ``select``, and those without hope are dropped.

Decisions fall at fixed looks, when every result of the look is there, so the answer depends on no order of arrival and
no number of workers. A look takes its share of every shard, in a seeded order of rows: no class or source comes first.
What a look may drop, and at which risk, is ``statistics/top_k.py``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evoray.search.population import Evaluated, evaluated_as, round_key
from evoray.search.session import Session
from evoray.search.stages import GIVEN_UP, StageKey
from evoray.search.subsets import evaluate_subset, share_of
from evoray.statistics import top_k
from evoray.strategies import Round


class Racer:
    """The races of one run: holds its budget."""

    def __init__(self, session: Session, elite: int) -> None:
        search = session.config.search
        self._session, self._left = session, search.budget_images
        self._best = max(elite, session.config.elite)
        self._generations = search.generations

    def evaluate(self, asked: Round) -> tuple[list[Evaluated], dict[str, Any]]:
        """Every candidate in the order asked, and what the race saved and risked.

        A dropped child keeps the sums of the images it saw; its fitness is the estimate from them, lowered where
        needed to rank behind every child that went to the end.
        """
        budget = None
        if self._left is not None:
            budget = self._left / max(self._generations - asked.asks[-1].generation, 1)
        race = _Race(self._session, asked, self._best, budget)
        for look in range(len(race.looks)):
            race.look(look)
        if self._left is not None:
            self._left -= race.images
        return race.evaluated(), race.report()


@dataclass
class _Fate:
    """Why a candidate is no longer in the race."""

    status: str
    failed: bool
    given_up: str = ""


class _Race:
    """One round. Children are numbers into ``asked.asks``; whatever is no child runs to the end."""

    def __init__(self, session: Session, asked: Round, best: int, budget: float | None) -> None:
        self._session, self._asked = session, asked
        self._plan = [(ask.name, ask.lineage) for ask in asked.asks]
        self._rows = session.splits.images_by_shard("select")
        self._total = sum(self._rows.values())
        self.looks = top_k.schedule(self._total)
        self._children = np.array([i for i, ask in enumerate(asked.asks) if ask.kind == "child"])
        self._best = min(best, len(self._children))
        self._confidence, self._budget = session.config.search.confidence, budget
        self._shares = top_k.shares(self.looks)
        self._totals: dict[int, np.ndarray] = {}
        self._layout = session.fitness.layout.with_pairs
        self._fates: dict[int, _Fate] = {}
        self.images = 0
        self._risk = self._forced = 0.0
        self._dropped = self._unaffordable = 0

    def look(self, number: int) -> None:
        """Evaluates everyone still in the race on the look's images, then drops."""
        before = self.looks[number - 1] if number else 0
        subset = share_of(self._rows, before, self.looks[number])
        racers = [i for i in range(len(self._plan)) if i not in self._fates]
        whole = round_key(self._asked)
        key = StageKey(f"{whole.name}/look{number}", whole.part)
        sums = evaluate_subset(self._session, key, self._asked.base, self._plan, subset, racers)
        for racer, reason in sums.given_up.items():
            self._fates[racer] = _Fate(GIVEN_UP, failed=True, given_up=reason)
        for racer in racers:
            if (total := sums.total(racer)) is not None:
                self._totals[racer] = total if number == 0 else self._totals[racer] + total
                self.images += self._layout.count(total) if self._asked.asks[racer].kind == "child" else 0
                self._fail(racer)
        if number < len(self.looks) - 1:
            self._drop(number)

    def _fail(self, racer: int) -> None:
        """Ends the race of a candidate whose outputs or scores are not finite."""
        if racer in self._fates:
            return
        total = self._totals[racer]
        evaluated = self._evaluated(racer)
        if evaluated.fitness == -math.inf or not np.isfinite(total).all():
            status = evaluated.status if evaluated.fitness == -math.inf else "scores that are not finite"
            self._fates[racer] = _Fate(status, failed=True)

    def _evaluated(self, racer: int) -> Evaluated:
        total = self._layout.plain(self._totals[racer])
        return evaluated_as(self._session.fitness, self._asked.asks[racer], total, self._session.splits.counted)

    def _drop(self, number: int) -> None:
        able = np.array([i for i in self._children if i not in self._fates or not self._fates[i].failed], dtype=int)
        alive = np.array([at for at, i in enumerate(able) if i not in self._fates], dtype=int)
        if len(alive) <= self._best:
            return
        totals = np.stack([self._totals[i] for i in able])
        standing = top_k.Standing(*(self._layout.column(totals, name) for name in ("n", "difference", "squares")))
        chance = top_k.chances(standing, alive, self._total, self._best - self._risk - self._forced)
        affordable = len(alive)
        if self._budget is not None:
            affordable = top_k.affordable(self._budget - self.images, self.looks, number)
        allowed = (1 - self._confidence) * self._best * float(self._shares[number])
        dropped = top_k.drop(chance, self._best, allowed, affordable)
        for places, why in ((dropped.hopeless, ""), (dropped.unaffordable, ", to keep the budget")):
            for at in alive[places]:
                seen, what = self._layout.count(totals[at]), self._session.splits.counted
                status = f"dropped after {seen} of {self._total} {what}{why}"
                self._fates[int(able[at])] = _Fate(status, failed=False)
        self._risk += dropped.risk
        self._forced += dropped.forced
        self._dropped += len(dropped.hopeless)
        self._unaffordable += len(dropped.unaffordable)

    def evaluated(self) -> list[Evaluated]:
        """All candidates; see ``Racer.evaluate``."""
        ends = {i: self._evaluated(i) for i in range(len(self._plan)) if i not in self._fates}
        estimates = self._estimates(ends)
        evaluated = []
        for racer, ask in enumerate(self._asked.asks):
            if racer in ends:
                evaluated.append(ends[racer])
                continue
            total = self._totals.get(racer)
            own = None if total is None else self._layout.plain(total)
            fate = self._fates[racer]
            evaluated.append(Evaluated(ask, own, estimates.get(racer, -math.inf), fate.status, fate.given_up))
        return evaluated

    def _estimates(self, ends: Mapping[int, Evaluated]) -> dict[int, float]:
        """Fitness of the dropped: the base's on all images plus their mean difference, behind every survivor."""
        mean = {i: self._layout.mean(total, "difference") for i, total in self._totals.items()}
        dropped = [i for i, fate in self._fates.items() if not fate.failed]
        if not dropped or not ends:
            return {i: mean[i] for i in dropped}
        # a survivor saw every image, so its fitness less its mean difference is the base's
        base = next(one.fitness - mean[i] for i, one in ends.items())
        estimates = {i: base + mean[i] for i in dropped}
        last = min((one.fitness for one in ends.values() if one.ask.kind == "child"), default=math.inf)
        behind = max(estimates.values()) - float(np.nextafter(last, -math.inf))
        return {i: value - max(behind, 0.0) for i, value in estimates.items()}

    def report(self) -> dict[str, Any]:
        """What was saved and what was risked; ``lost`` is the expected number of the best children dropped."""
        return {
            "confidence": self._confidence,
            "best": self._best,
            "children": len(self._children),
            "dropped": self._dropped,
            "dropped_for_budget": self._unaffordable,
            "images": self.images,
            "images_without": len(self._children) * self._total,
            "lost_by_confidence": self._risk,
            "lost_by_budget": self._forced,
        }


def summary(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All races of a run together, for ``summary.json``."""
    added = {
        key: sum(one[key] for one in rounds)
        for key in ("children", "dropped", "dropped_for_budget", "images", "images_without")
    }
    lost = {key: sum(one[key] for one in rounds) for key in ("lost_by_confidence", "lost_by_budget")}
    return {
        "confidence": rounds[0]["confidence"],
        "best": rounds[0]["best"],
        **added,
        "share_saved": 1 - added["images"] / added["images_without"],
        "expected_lost": {**lost, "of": sum(one["best"] for one in rounds)},
        "rounds": list(rounds),
    }
