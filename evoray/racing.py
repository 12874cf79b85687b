"""A round as a race: children are judged piece by piece of ``select`` against their base, and the hopeless dropped.

Decisions fall at fixed looks, when every piece of the look is there, so the answer depends on no order of arrival and
no number of workers. A look takes its share of every shard, in a seeded order of rows: no class or source comes first.
What a look may drop, and at which risk, is ``statistics/racing.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evoray.backends import Job
from evoray.errors import RunError
from evoray.evaluation import Candidate
from evoray.fitness import merge_shards
from evoray.judging import Judged, judge_total
from evoray.piece_unit import PAIRED, PieceUnit
from evoray.running import OpenRun
from evoray.statistics import racing
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
        if self._run.closed is not None:
            raise RunError("a child was to be judged after the search was over and test was opened.")
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
        shards = run.inputs.splits.shards("select")
        self._rows = {shard: len(run.inputs.splits.rows["select"][shard]) for shard in shards}
        self._total = sum(self._rows.values())
        self.looks = racing.schedule(self._total)
        count = len(asked.asks)
        self._children = np.array([i for i, ask in enumerate(asked.asks) if ask.kind == "child"])
        self._best = min(best, len(self._children))
        self._confidence, self._budget = run.config.search.confidence, budget
        self._shares = racing.shares(self.looks)
        self._pieces: list[list[np.ndarray]] = [[] for _ in range(count)]
        self._fates: dict[int, _Fate] = {}
        self.images = 0
        self._risk = self._forced = 0.0
        self._dropped = self._unaffordable = 0

    def look(self, number: int) -> None:
        """Evaluates everyone still in the race on the look's pieces, then drops."""
        bounds = {shard: self._bounds(shard, number) for shard in self._rows}
        racers = [i for i in range(len(self._asked.asks)) if i not in self._fates]
        work = {shard: racers for shard, (start, stop) in bounds.items() if stop > start}
        self._evaluate(f"{self._name}/look{number}", work, bounds)
        for racer in racers:
            self._fail(racer)
        if number < len(self.looks) - 1:
            self._drop(number)

    @property
    def _name(self) -> str:
        last = self._asked.asks[-1]
        return f"g{last.generation:04d}/{last.kind}"

    def _bounds(self, shard: int, number: int) -> tuple[int, int]:
        """The look's rows of a shard: its share of them, to within one row."""
        rows, ends = self._rows[shard], [0, *self.looks]
        start, stop = (ends[number + step] * rows // self._total for step in (0, 1))
        return start, stop

    def _evaluate(self, name: str, work: dict[int, list[int]], bounds: dict[int, tuple[int, int]]) -> None:
        run, asks, base = self._run, self._asked.asks, self._asked.base
        number = {ask.name: i for i, ask in enumerate(asks)}
        found = {(number[item], shard): np.frombuffer(payload) for item, shard, payload in run.known.take(name)}
        known = set(found)

        def unit(shard: int, items: tuple[int, ...]) -> PieceUnit:
            children = tuple(Candidate(asks[item].name, asks[item].lineage.tail(base)) for item in items)
            return PieceUnit(base, children, "select", shard, *bounds[shard])

        left = {shard: [i for i in items if (i, shard) not in known] for shard, items in work.items()}
        for shard, item, value, failure in run.outcomes(name, Job(left, unit)):
            if failure is not None:
                self._fates[item] = _Fate(failure, failed=True)
                continue
            found[item, shard] = value
            run.images += int(value[0])
            run.journal.add((name, asks[item].name, shard), value.tobytes())
        for (item, _), value in sorted(found.items(), key=lambda one: one[0]):
            self._pieces[item].append(value)
            if asks[item].kind == "child":
                self.images += int(value[0])

    def _fail(self, racer: int) -> None:
        """Ends the race of a candidate whose outputs or scores are not finite."""
        if racer in self._fates:
            return
        total = merge_shards(np.stack(self._pieces[racer]))
        judged = self._judge(racer, total)
        if judged.fitness == -math.inf or not np.isfinite(total).all():
            status = judged.status if judged.fitness == -math.inf else "scores that are not finite"
            self._fates[racer] = _Fate(status, failed=True)

    def _judge(self, racer: int, total: np.ndarray) -> Judged:
        return judge_total(self._run.fitness, self._asked.asks[racer], total[:-PAIRED])

    def _drop(self, number: int) -> None:
        able = np.array([i for i in self._children if i not in self._fates or not self._fates[i].failed], dtype=int)
        alive = np.array([at for at, i in enumerate(able) if i not in self._fates], dtype=int)
        if len(alive) <= self._best:
            return
        totals = np.stack([merge_shards(np.stack(self._pieces[i])) for i in able])
        standing = racing.Standing(totals[:, 0], totals[:, -2], totals[:, -1])
        chance = racing.chances(standing, alive, self._total, self._best - self._risk - self._forced)
        affordable = len(alive)
        if self._budget is not None:
            affordable = racing.affordable(self._budget - self.images, self.looks, number)
        allowed = (1 - self._confidence) * self._best * float(self._shares[number])
        dropped = racing.drop(chance, self._best, allowed, affordable)
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
        totals = [merge_shards(np.stack(rows)) if rows else None for rows in self._pieces]
        found: list[Judged | None] = []
        for racer, total in enumerate(totals):
            fate, ask = self._fates.get(racer), self._asked.asks[racer]
            if fate is None and total is not None:
                found.append(self._judge(racer, total))
            elif fate is not None and fate.failed:
                found.append(Judged(ask, None if total is None else total[:-PAIRED], -math.inf, fate.status))
            else:
                found.append(None)
        estimates = self._estimates(totals, found)
        return [
            one or Judged(self._asked.asks[i], _own(totals[i]), estimates[i], self._fates[i].status)
            for i, one in enumerate(found)
        ]

    def _estimates(self, totals: Sequence[np.ndarray | None], found: Sequence[Judged | None]) -> dict[int, float]:
        """Fitness of the dropped: the base's on all images plus their mean difference, behind every survivor."""
        ends = [(i, one) for i, one in enumerate(found) if one is not None and one.fitness > -math.inf]
        mean = {i: float(total[-2] / total[0]) for i, total in enumerate(totals) if total is not None and total[0]}
        dropped = [i for i, one in enumerate(found) if one is None]
        if not dropped:
            return {}
        base = ends[0][1].fitness - mean[ends[0][0]] if ends else 0.0
        estimates = {i: base + mean[i] for i in dropped}
        last = min((one.fitness for _, one in ends if one.ask.kind == "child"), default=math.inf)
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


def _own(total: np.ndarray | None) -> np.ndarray | None:
    return None if total is None else total[:-PAIRED]


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
