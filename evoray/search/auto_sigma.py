"""``sigma = "auto"``: from a few children on a few images to the sigma whose best children should be worth most.

Probes are opposite pairs at sigmas a factor of two apart, then at three around the best of those. Their half sums are
damage D (the first order cancels), their half differences the first order alone, which selection lives on:

- D(sigma) = -a sigma^2 - b sigma^4 with a, b >= 0, fitted to the probes' means;
- s(sigma), the spread of one image's difference from the parent, interpolated;
- tau = rho s, the spread of children's true means. rho is nearly the same for all sigmas (a ratio of first-order terms)
  and a few images hardly show it, so what the probes say of it is weighed against RHO, the value of small image
  networks that were trained to the end.

Worth of sigma: D + i tau r, where i is the mean of the best ``search.elite`` of ``search.children`` standard normal
draws, and r = rho / sqrt(rho^2 + 1 / images of select) is what is left of a lead that was measured on those images.
The chosen sigma has the largest worth between the smallest probe and the largest that is not ruined. A probe is ruined
where its children lose more than one image's spread: losses are no polynomial there, and what they spread is no first
order, so a worth that is read from them means nothing. A figure with a floor (a reward, accuracy) loses at most what
the parent had, which may be less than that spread: where losses have ceased to grow, a probe is ruined from half of
them on, and those beyond the first such say nothing of a and b.

Where children change groups of weights in turn (the blocks of ``layered``), each group has probes and a sigma of its
own, on the images that the same budget leaves for it; where that is less than a pair at every sigma on LEAST_IMAGES
images, one sigma is found for all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats

from evoray.mutation import Lineage, Space
from evoray.runtime.seeds import Stream, derive_seed
from evoray.search.session import Session
from evoray.search.stages import Part, StageKey
from evoray.search.subsets import evaluate_subset, some_of
from evoray.search.window import SIGMAS, describe_cell, write_window
from evoray.strategies import draw_mutation
from evoray.tasks.sums import SumsLayout

COST = 0.04
"""Share of the run's evaluations of children on ``select`` that the probes may cost."""
LEAST_IMAGES = 16
RHO = 0.06
LOOSE = 0.3
"""Relative error allowed to the fitted damage: far from zero it is no polynomial."""


@dataclass(frozen=True)
class Probe:
    """Pairs at one sigma: float64 [pairs] means of paired differences, and one image's variance, of n images."""

    sigma: float
    plus: np.ndarray
    minus: np.ndarray
    variance: float
    images: int

    @property
    def damage(self) -> float:
        return float((self.plus + self.minus).mean() / 2)

    @property
    def damage_error(self) -> float:
        pairs = len(self.plus)
        if pairs > 1:
            return float(((self.plus + self.minus) / 2).std(ddof=1)) / math.sqrt(pairs)
        return math.sqrt(self.variance / (2 * self.images))

    @property
    def ruined(self) -> bool:
        """Whether it lies far beyond the first order."""
        return self.damage < -math.sqrt(self.variance)

    @property
    def first_order(self) -> float:
        """Variance of children's true means, from the half differences, less what few images add to it."""
        return float((((self.plus - self.minus) / 2) ** 2).mean() - self.variance / self.images)


ChosenSigma = dict[str, Any] | None
"""How a sigma was chosen, for the summary; None where the configuration gives one."""


def choose_sigma(session: Session) -> tuple[Session, ChosenSigma]:
    """The session with a sigma, chosen where the configuration says "auto"; ``window.json`` shows how."""
    if not session.config.mutation.sigma_is_auto:
        return session, None
    sigma, how = _choose(session)
    return session.with_config(session.config.with_sigma(sigma)), how


def _choose(session: Session) -> tuple[float | tuple[float, ...], dict[str, Any]]:
    search, images = session.config.search, session.inputs.splits.images("select")
    budget = COST * search.children * search.generations * images
    unit = _unit(session)
    grid = [sigma * unit for sigma in SIGMAS]
    intensity = selection_intensity(search.children, session.config.elite)
    groups = session.config.mutation.groups
    if budget / 2 < groups * len(grid) * 2 * LEAST_IMAGES:
        groups = 1
    stage = _probe(session, 1, [grid] * groups, budget / 2)
    firsts = [best_sigma(own, images, intensity).sigma for own in stage.probes]
    closer = _probe(session, 2, [[first / 1.6, first, first * 1.6] for first in firsts], budget / 2)
    probes = [own + other for own, other in zip(stage.probes, closer.probes, strict=True)]
    chosen = [best_sigma(own, images, intensity) for own in probes]
    how = [_record(session, one, own) for one, own in zip(chosen, probes, strict=True)]
    if groups == 1:
        write_window(session, closer.parent, stage.cells + closer.cells, how[0])
        return chosen[0].sigma, how[0]
    sums = {key: sum(one[key] for one in how) for key in ("images", "share_of_run")}
    whole = {"sigma": [one.sigma for one in chosen], **sums, "blocks": how}
    write_window(session, closer.parent, stage.cells, whole)
    return tuple(one.sigma for one in chosen), whole


@dataclass(frozen=True)
class Choice:
    """sigma with its expected worth, the rho that was believed, and the worth curve it was read from."""

    sigma: float
    worth: float
    rho: float


def best_sigma(probes: Sequence[Probe], images: int, intensity: float) -> Choice:
    """Where worth is largest (see the module); the smallest probed sigma where every probe failed."""
    usable = [one for one in probes if math.isfinite(one.damage) and math.isfinite(one.variance) and one.variance > 0]
    if not usable:
        return Choice(min(one.sigma for one in probes), math.nan, RHO)
    usable.sort(key=lambda one: one.sigma)
    sigmas = np.array([one.sigma for one in usable])
    floor = _floor(usable)
    ruined = [one.ruined or one.damage <= floor / 2 for one in usable]
    rho = _rho([one for one, lost in zip(usable, ruined, strict=True) if not lost])
    first = ruined.index(True) if True in ruined else len(usable)
    a, b = _damage(usable if floor == -math.inf else usable[: first + 1])
    last = sigmas[max(0, first - 1)]
    fine = np.geomspace(sigmas[0], last, 400)
    spread = np.exp(np.interp(np.log(fine), np.log(sigmas), [0.5 * math.log(one.variance) for one in usable]))
    kept = rho / math.sqrt(rho**2 + 1 / images)
    worth = -a * fine**2 - b * fine**4 + intensity * rho * kept * spread
    best = int(np.argmax(worth))
    return Choice(float(f"{fine[best]:.3g}"), float(worth[best]), rho)


def selection_intensity(children: int, best: int) -> float:
    """Mean of the best ``best`` of ``children`` standard normal draws (Blom's order statistics), at least 0.5."""
    best = min(best, children)
    ranks = np.arange(1, best + 1)
    return max(float(stats.norm.isf((ranks - 0.375) / (children + 0.25)).mean()), 0.5)


def _damage(probes: Sequence[Probe]) -> tuple[float, float]:
    """(a, b) of D = -a sigma^2 - b sigma^4."""
    sigmas = np.array([one.sigma for one in probes])
    damage = np.array([-one.damage for one in probes])
    weight = 1 / (np.array([one.damage_error for one in probes]) + LOOSE * np.abs(damage) + 1e-12)
    columns = np.stack([sigmas**2, sigmas**4], axis=1) * weight[:, None]
    scale = np.abs(columns).max(axis=0)
    (a, b), _ = optimize.nnls(columns / scale, damage * weight)
    return float(a / scale[0]), float(b / scale[1])


def _floor(probes: Sequence[Probe]) -> float:
    """The damage beyond which there is none, by the probes in order of sigma; -inf where losses still grow.

    They have stopped where the largest sigma loses what one half as large does, within a tenth: a polynomial would have
    lost four times as much. A loss that is no larger than its own error is none.
    """
    largest = probes[-1]
    halves = [one for one in probes if one.sigma <= 0.55 * largest.sigma]
    if not halves or largest.damage > -largest.damage_error:
        return -math.inf
    grown = abs(largest.damage - halves[-1].damage) > 0.1 * abs(largest.damage)
    return -math.inf if grown else largest.damage


def _rho(probes: Sequence[Probe]) -> float:
    """Posterior mean of rho^2, then its root: prior RHO^2 with an error as large as itself. Of probes that stand."""
    mean, precision = RHO**2, 1 / RHO**4
    for one in probes:
        error = math.sqrt(2 / len(one.plus)) * (1 / one.images + RHO**2)
        seen = one.first_order / one.variance
        mean = (mean * precision + seen / error**2) / (precision + 1 / error**2)
        precision += 1 / error**2
    return math.sqrt(max(mean, (RHO / 3) ** 2))


@dataclass(frozen=True)
class _Stage:
    """Probes of each group, the parent on the same images, and what the window shows of each sigma of all groups."""

    parent: np.ndarray
    probes: list[list[Probe]]
    cells: list[dict[str, Any]]


def _probe(session: Session, stage: int, grids: Sequence[Sequence[float]], budget: float) -> _Stage:
    """Evaluates as many pairs on as many images as the budget (children x images) allows, at least one on a few.

    grids: the sigmas of each group of weights; child numbers g, g + groups, … (pairs of them) change group g.
    """
    rows, groups = session.splits.images_by_shard("select"), len(grids)
    each = budget / (2 * sum(map(len, grids)))
    pairs = max(1, min(8, int(math.sqrt(each / (2 * LEAST_IMAGES)))))
    subset = some_of(rows, max(LEAST_IMAGES, int(each / pairs)))
    mutation = session.config.mutation.model_copy(update={"antithetic": True})
    cells = [(group, at, sigma) for group, grid in enumerate(grids) for at, sigma in enumerate(grid)]
    plan = [("parent", Lineage())]
    for group, at, sigma in cells:
        seed = derive_seed(session.config.seed, Stream.AUTO_SIGMA, stage, at)
        prefix = f"b{group}/" if groups > 1 else ""
        for child in range(2 * pairs):
            number = 2 * (group + groups * (child // 2)) + child % 2
            mutated = Lineage().child(draw_mutation(mutation, sigma, seed, 0, number))
            plan.append((f"{prefix}s{at}/c{child:04d}", mutated))
    sums = evaluate_subset(session, StageKey(f"auto/{stage}", Part.SIGMA), Lineage(), plan, subset)
    parent = sums.total(0)
    assert parent is not None, "a parent that is given up ends the run"
    probes: list[list[Probe]] = [[] for _ in grids]
    seen: dict[float, list[np.ndarray | None]] = {}
    for place, (group, _, sigma) in enumerate(cells):
        totals = [sums.total(1 + place * 2 * pairs + child) for child in range(2 * pairs)]
        probes[group].append(_summed(session.fitness.layout.with_pairs, sigma, totals))
        seen.setdefault(sigma, []).extend(totals)
    disjoint = session.config.mutation.disjoint
    shown = [describe_cell(session.inputs.task, sigma, disjoint, totals, parent) for sigma, totals in seen.items()]
    return _Stage(parent, probes, shown)


def _summed(layout: SumsLayout, sigma: float, totals: Sequence[np.ndarray | None]) -> Probe:
    if any(one is None or not np.isfinite(one).all() for one in totals):
        return Probe(sigma, np.array([math.nan]), np.array([math.nan]), math.nan, 1)
    known = np.stack([one for one in totals if one is not None])
    seen, total, squares = (layout.column(known, name) for name in ("n", "difference", "squares"))
    variance = float((squares - total**2 / seen).sum() / max((seen - 1).sum(), 1))
    mean = total / seen
    return Probe(sigma, mean[0::2], mean[1::2], variance, int(seen[0]))


def _unit(session: Session) -> float:
    """What sigmas are multiples of: one, or for ``scale = "absolute"`` the root mean square of all mutable weights."""
    if session.config.mutation.scale == "rms":
        return 1.0
    names = [tensor.name for tensor in session.inputs.space.tensors]
    space = Space.from_state(session.inputs.state, names, "rms")
    sizes = np.array([tensor.size for tensor in space.tensors])
    return float(np.sqrt((sizes * space.scales.astype(np.float64) ** 2).sum() / space.n)) or 1.0


def _record(session: Session, chosen: Choice, probes: Sequence[Probe]) -> dict[str, Any]:
    """How sigma was found, for ``window.json`` and the summary."""
    search, images = session.config.search, session.inputs.splits.images("select")
    spent = sum(2 * len(probe.plus) * probe.images for probe in probes)
    return {
        "sigma": chosen.sigma,
        "expected_gain": chosen.worth if math.isfinite(chosen.worth) else None,
        "rho": chosen.rho,
        "images": spent,
        "share_of_run": spent / (search.children * search.generations * images),
        "probes": [
            {
                "sigma": one.sigma,
                "pairs": len(one.plus),
                "images": one.images,
                "damage": one.damage if math.isfinite(one.damage) else None,
                "spread": math.sqrt(one.variance) if math.isfinite(one.variance) else None,
            }
            for one in probes
        ],
    }
