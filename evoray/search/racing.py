"""A round as a race: children are judged piece by piece of ``select`` against their base, and the hopeless dropped.

Decisions fall at fixed looks, when every piece of the look is there, so the answer depends on no order of arrival and
no number of workers. A look takes its share of every shard, in a seeded order of rows: no class or source comes first.
What a look may drop, and at which risk, is ``statistics/racing.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evoray.evaluation.units.subset import PAIRED
from evoray.search.population import Judged, judge_total
from evoray.search.session import GIVEN_UP, OpenRun
from evoray.search.subsets import evaluate_pieces, rows_by_shard, share_of
from evoray.statistics import top_k
from evoray.strategies import Round


class Racer:
    """The races of one run: holds its budget."""

    def __init__(self, run: OpenRun, elite: int) -> None:
        search = run.config.search
        self._run, self._left = run, search.budget_images
        self._best = max(elite, run.config.ensemble.size)
        self._generations = search.generations

    def judge(self, asked: Round) -> tuple[list[Judged], dict[str, Any]]:
        """Every candidate in the order asked, and what the race saved and risked.

        A dropped child keeps the sums of the images it saw; its fitness is the estimate from them, lowered where
        needed to rank behind every child that went to the end.
        """
        budget = None
        if self._left is not None:
            budget = self._left / max(self._generations - asked.asks[-1].generation, 1)
        race = _Race(self._run, asked, self._best, budget)
        for look in range(len(race.looks)):
            race.look(look)
        if self._left is not None:
            self._left -= race.images
        return race.judged(), race.report()


@dataclass
class _Fate:
    """Why a candidate is no longer in the race."""

    status: str
    failed: bool


class _Race:
    """One round. Children are numbers into ``asked.asks``; whatever is no child runs to the end."""

    def __init__(self, run: OpenRun, asked: Round, best: int, budget: float | None) -> None:
        self._run, self._asked = run, asked
        self._plan = [(ask.name, ask.lineage) for ask in asked.asks]
        self._rows = rows_by_shard(run)
        self._total = sum(self._rows.values())
        self.looks = top_k.schedule(self._total)
        self._children = np.array([i for i, ask in enumerate(asked.asks) if ask.kind == "child"])
        self._best = min(best, len(self._children))
        self._confidence, self._budget = run.config.search.confidence, budget
        self._shares = top_k.shares(self.looks)
        self._totals: dict[int, np.ndarray] = {}
        self._fates: dict[int, _Fate] = {}
        self.images = 0
        self._risk = self._forced = 0.0
        self._dropped = self._unaffordable = 0

    def look(self, number: int) -> None:
        """Evaluates everyone still in the race on the look's pieces, then drops."""
        before = self.looks[number - 1] if number else 0
        bounds = share_of(self._rows, before, self.looks[number])
        racers = [i for i in range(len(self._plan)) if i not in self._fates]
        stage = f"{self._name}/look{number}"
        pieces = evaluate_pieces(self._run, stage, self._asked.base, self._plan, racers, bounds)
        for racer in pieces.given_up:
            self._fates[racer] = _Fate(GIVEN_UP, failed=True)
        for racer in racers:
            if (total := pieces.total(racer)) is not None:
                self._totals[racer] = total if number == 0 else self._totals[racer] + total
                self.images += int(total[0]) if self._asked.asks[racer].kind == "child" else 0
                self._fail(racer)
        if number < len(self.looks) - 1:
            self._drop(number)

    @property
    def _name(self) -> str:
        last = self._asked.asks[-1]
        return f"g{last.generation:04d}/{last.kind}"

    def _fail(self, racer: int) -> None:
        """Ends the race of a candidate whose outputs or scores are not finite."""
        if racer in self._fates:
            return
        total = self._totals[racer]
        judged = self._judge(racer)
        if judged.fitness == -math.inf or not np.isfinite(total).all():
            status = judged.status if judged.fitness == -math.inf else "scores that are not finite"
            self._fates[racer] = _Fate(status, failed=True)

    def _judge(self, racer: int) -> Judged:
        return judge_total(self._run.fitness, self._asked.asks[racer], self._totals[racer][:-PAIRED])

    def _drop(self, number: int) -> None:
        able = np.array([i for i in self._children if i not in self._fates or not self._fates[i].failed], dtype=int)
        alive = np.array([at for at, i in enumerate(able) if i not in self._fates], dtype=int)
        if len(alive) <= self._best:
            return
        totals = np.stack([self._totals[i] for i in able])
        standing = top_k.Standing(totals[:, 0], totals[:, -2], totals[:, -1])
        chance = top_k.chances(standing, alive, self._total, self._best - self._risk - self._forced)
        affordable = len(alive)
        if self._budget is not None:
            affordable = top_k.affordable(self._budget - self.images, self.looks, number)
        allowed = (1 - self._confidence) * self._best * float(self._shares[number])
        dropped = top_k.drop(chance, self._best, allowed, affordable)
        for places, why in ((dropped.hopeless, ""), (dropped.unaffordable, ", to keep the budget")):
            for at in alive[places]:
                status = f"dropped after {int(totals[at, 0])} of {self._total} images{why}"
                self._fates[int(able[at])] = _Fate(status, failed=False)
        self._risk += dropped.risk
        self._forced += dropped.forced
        self._dropped += len(dropped.hopeless)
        self._unaffordable += len(dropped.unaffordable)

    def judged(self) -> list[Judged]:
        """All candidates; see ``Racer.judge``."""
        ends = {i: self._judge(i) for i in range(len(self._plan)) if i not in self._fates}
        estimates = self._estimates(ends)
        judged = []
        for racer, ask in enumerate(self._asked.asks):
            if racer in ends:
                judged.append(ends[racer])
                continue
            total = self._totals.get(racer)
            own = None if total is None else total[:-PAIRED]
            judged.append(Judged(ask, own, estimates.get(racer, -math.inf), self._fates[racer].status))
        return judged

    def _estimates(self, ends: Mapping[int, Judged]) -> dict[int, float]:
        """Fitness of the dropped: the base's on all images plus their mean difference, behind every survivor."""
        mean = {i: float(total[-2] / total[0]) for i, total in self._totals.items()}
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
