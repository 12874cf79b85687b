"""The study's tables: every figure is measured on ``test``, but for the window, which looks at all children."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from evoray.report import text
from evoray.report.grids import Grid
from evoray.report.measures import BEFORE, ShownMeasure
from evoray.runtime.auto import AUTO
from evoray.statistics import OverSeeds, over_seeds
from evoray.study.outcome import NETWORKS, Outcome

LABELS = {"parent": "Parent", "best_child": "Best child", "soup": "Soup", "ensemble": "Ensemble"}
_SEEDS = "Mean over seeds, with Student's 95% interval over seeds in brackets."


def all_tables(outcomes: Sequence[Outcome]) -> list[Grid]:
    """Every table that the outcomes so far have something for; the last one is the study in short."""
    makers: tuple[Callable[[Sequence[Outcome]], Grid | None], ...] = (
        parents,
        one_generation,
        generations,
        sparse_against_dense,
        recovered,
        window,
        sigma_auto,
        per_case,
        cost,
        in_short,
    )
    by_fitness: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_fitness.setdefault(one.measure.key, []).append(one)
    grids = []
    for some in by_fitness.values():
        made = [grid for grid in (make(some) for make in makers) if grid is not None and grid.rows]
        several = f" ({some[0].measure.said})" if len(by_fitness) > 1 else ""
        grids += [replace(grid, title=grid.title + several) for grid in made]
    return grids


def chosen(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Of one generation's settings, each side's best by ``select``, for every parent and seed that has both sides."""
    best: dict[tuple[str, int], dict[str, Outcome]] = {}
    for one in outcomes:
        if one.role == "grid":
            sides = best.setdefault((one.parent, one.seed), {})
            if one.side not in sides or one.select_fitness > sides[one.side].select_fitness:
                sides[one.side] = one
    return [one for sides in best.values() if len(sides) == 2 for one in sides.values()]


def rows_for_tables(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """What is compared: each side's chosen generation, and every longer run."""
    return [*chosen(outcomes), *(one for one in outcomes if one.role == "long")]


def parents(outcomes: Sequence[Outcome]) -> Grid:
    """The parents themselves."""
    rows = []
    for parent, own in _by_parent(chosen(outcomes)):
        first = list({one.seed: one for one in own}.values())
        figures = (_mean(first, lambda one, m=m: one.tested[m.key]["parent"], m.show) for m in _measures(outcomes))  # type: ignore[misc]
        rows.append((parent, str(len(first)), *figures))
    return Grid("Parents", ("Parent", "Seeds", *(one.short for one in _measures(outcomes))), tuple(rows), _SEEDS)


def one_generation(outcomes: Sequence[Outcome]) -> Grid:
    """The paper's experiment: sparse and dense children, one generation, each side's setting chosen by ``select``."""
    first, *others = [f"{one.said} ({one.difference_unit}, {one.direction})" for one in _measures(outcomes)]
    note = f"Difference to the parent's on test: {', '.join([first, *others])}. {_SEEDS}"
    note += " Each side tried as many settings with as many children, and was given the one that was best on select."
    return Grid("One generation: dense against sparse", _columns(outcomes), _compared(chosen(outcomes)), note, words=2)


def generations(outcomes: Sequence[Outcome]) -> Grid:
    """Several generations of each arm."""
    longer = [one for one in outcomes if one.role == "long"]
    number = longer[0].generations if longer else 0
    note = "As above; each arm goes on from the setting that its side chose in one generation."
    return Grid(f"{number} generations", _columns(outcomes), _compared(longer), note, words=2)


def _measures(outcomes: Sequence[Outcome]) -> list[ShownMeasure]:
    """The fitness of the runs, and the figure beside it where they have one."""
    if not outcomes:
        return [BEFORE["nll"], BEFORE["top1"]]
    return [one for one in (outcomes[0].measure, outcomes[0].beside) if one]


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _columns(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    shown = (f"{LABELS[name]} {one.in_table}" for one in _measures(outcomes) for name in NETWORKS)
    return ("Parent", "Arm", "Evaluations", *shown)


def _compared(outcomes: Sequence[Outcome]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for parent, own in _by_parent(outcomes):
        for arm in dict.fromkeys(one.arm for one in own):
            some = [one for one in own if one.arm == arm]
            differences = [
                _mean(some, lambda one, n=name, m=measure: one.difference(n, m), _signed(measure))  # type: ignore[misc]
                for measure in _measures(outcomes)
                for name in NETWORKS
            ]
            evaluations = _mean(some, lambda one: one.evaluations, text.count, interval=False)
            rows.append((parent, arm, evaluations, *differences))
    return tuple(rows)


def sparse_against_dense(outcomes: Sequence[Outcome]) -> Grid:
    """Sparse minus dense, case by case, at the same number of evaluations."""
    rows = []
    measure = _measures(outcomes)[0]
    for label, arm, pairs in _pairs(outcomes):
        for network in NETWORKS:
            gaps = [sparse.fitness[network] - dense.fitness[network] for sparse, dense in pairs]
            ahead = sum(measure.sign * gap > 0 for gap in gaps)
            rows.append(
                (label, arm, LABELS[network], f"{ahead} of {len(gaps)}", _spread(over_seeds(gaps), _signed(measure)))
            )
    note = f"{_begun(measure.said)} on test of the sparse arm minus the dense arm's, over all "
    note += f"parents and seeds; ahead where it is {'higher' if measure.higher_is_better else 'lower'}."
    columns = ("Search", "Sparse arm", "Network", "Sparse ahead", "Difference")
    return Grid("Sparse ahead of dense", columns, tuple(rows), note, words=3)


def _pairs(outcomes: Sequence[Outcome]) -> list[tuple[str, str, list[tuple[Outcome, Outcome]]]]:
    """(search, sparse arm, (sparse, dense) of each case); the dense arm is the one called ``dense``."""
    found = []
    for role, some in (("one generation", chosen(outcomes)), ("long", [o for o in outcomes if o.role == "long"])):
        dense = {(one.parent, one.seed): one for one in some if one.arm == "dense"}
        for arm in dict.fromkeys(one.arm for one in some if one.side == "sparse"):
            pairs = [(o, dense[o.parent, o.seed]) for o in some if o.arm == arm and (o.parent, o.seed) in dense]
            if pairs:
                label = role if role != "long" else f"{pairs[0][0].generations} generations"
                found.append((label, arm, pairs))
    return found


def recovered(outcomes: Sequence[Outcome]) -> Grid:
    """How far towards the reference each arm's networks come."""
    reference = {(one.parent, one.seed): one.fitness["parent"] for one in outcomes if one.role == "reference"}
    measure = _measures(outcomes)[0]
    known = [one for one in rows_for_tables(outcomes) if (one.parent, one.seed) in reference]
    rows = []
    for parent, own in _by_parent(known):
        for search in dict.fromkeys((one.generations, one.arm) for one in own):
            some = [one for one in own if (one.generations, one.arm) == search]
            better = over_seeds([reference[one.parent, one.seed] for one in some]).mean
            shares = (
                _mean(some, lambda one, n=n: share(one, reference[one.parent, one.seed], n), _hundredths)  # type: ignore[misc]
                for n in NETWORKS
            )
            counts = _mean(some, lambda one: one.evaluations, text.count, interval=False)
            start = _mean(some, lambda one: one.fitness["parent"], measure.show, interval=False)
            rows.append((parent, f"{search[0]} gen., {search[1]}", counts, start, measure.show(better), *shares))
    columns = (
        "Parent",
        "Search",
        "Evaluations",
        *(f"{who} {measure.in_table}" for who in ("Parent", "Reference")),
        *(LABELS[n] for n in NETWORKS),
    )
    note = f"Share of the gap in {measure.said} on test between parent and reference that is closed. {_SEEDS}"
    return Grid("Towards the reference", columns, tuple(rows), note, words=2)


def share(one: Outcome, reference: float, network: str) -> float:
    """1 where the network is as good as the reference, 0 where it is its parent."""
    return (one.fitness["parent"] - one.fitness[network]) / (one.fitness["parent"] - reference)


def window(outcomes: Sequence[Outcome]) -> Grid:
    """The mutation window: children against their parent on ``select``, by K and sigma."""
    rows, measure = [], _measures(outcomes)[0]
    once = {one.run: one for one in outcomes if one.window is not None}.values()
    for parent, own in _by_parent(list(once)):
        for parts, sigma in sorted({(one.parts, one.sigma) for one in own if one.role != AUTO}):
            some = [one.window for one in own if (one.parts, one.sigma) == (parts, sigma) and one.window]
            mean, spread, best, better = (
                over_seeds([getattr(one, name) for one in some]).mean for name in ("mean", "spread", "best", "better")
            )
            show = _signed(measure)
            figures = (show(mean), _unsigned(measure)(spread), show(best), text.percent(better))
            failed = text.count(sum(one.failed for one in some))
            rows.append((parent, str(parts), text.plain(sigma), *figures, failed))
    note = f"One generation's children on the select images: {measure.said} minus the parent's "
    note += f"({measure.difference_unit}, {measure.direction}), averaged over seeds."
    columns = ("Parent", "K", "Sigma", "Mean child", "Spread", "Best child", "Better than parent", "Failed")
    return Grid("Mutation window", columns, tuple(rows), note)


def sigma_auto(outcomes: Sequence[Outcome]) -> Grid | None:
    """``sigma = "auto"`` against the sweep, on the test fitness of the soup that each run hands back."""
    measure, rows, within, total = _measures(outcomes)[0], [], 0, 0
    choose = max if measure.higher_is_better else min
    autos = {(one.parent, one.seed): one for one in outcomes if one.role == AUTO}
    for key, auto in autos.items():
        swept = [one for one in outcomes if one.role == "sweep" and (one.parent, one.seed) == key]
        if not swept:
            continue
        best = choose(swept, key=lambda one: one.fitness["soup"])
        soups = auto.fitness["soup"], best.fitness["soup"]
        ratio = soups[0] / soups[1] if soups[1] else math.nan
        within, total = within + (ratio >= 0.95 if measure.higher_is_better else ratio <= 1.05), total + 1
        sigmas = (text.plain(auto.sigma), text.plain(best.sigma))
        rows.append(
            (*map(str, key), *sigmas, *map(measure.show, soups), f"{ratio:.3f}", measure.show(auto.fitness["parent"]))
        )
    name = measure.in_table
    columns = ("Parent", "Seed", "Auto sigma", "Best sigma", *(f"{who} {name}" for who in ("Auto", "Best")))
    columns = (*columns, "Ratio", f"Parent {name}")
    note = f"{_begun(measure.said)} of the soup on test; the sweep's best is the one that is "
    note += f"{'highest' if measure.higher_is_better else 'lowest'} on test itself. Within 5%: {within} of "
    return Grid('sigma = "auto" against a sweep', columns, tuple(rows), f"{note}{total}.", words=1) if rows else None


def per_case(outcomes: Sequence[Outcome]) -> Grid:
    """Every case with its own interval over test images."""
    rows, measure = [], _measures(outcomes)[0]
    show = _signed(measure)
    for one in rows_for_tables(outcomes):
        cells = []
        for network in NETWORKS:
            compared = one.compared.get(network)
            if compared is None:
                cells.append(text.NOTHING)
                continue
            low, high = compared.ci95
            cells.append(f"{show(compared.difference)} [{show(low)}, {show(high)}]")
        search = f"{one.generations} gen., {one.arm}"
        setting = f"K {one.parts}, sigma {text.plain(one.sigma)}"
        rows.append((one.parent, str(one.seed), search, setting, measure.show(one.fitness["parent"]), *cells))
    columns = (
        "Parent",
        "Seed",
        "Search",
        "Setting",
        f"Parent {measure.in_table}",
        *(LABELS[name] for name in NETWORKS),
    )
    note = f"Difference to the parent's {measure.said} on test ({measure.difference_unit}) with its 95% interval over "
    note += "images, paired."
    return Grid("Case by case", columns, tuple(rows), note, words=4)


def cost(outcomes: Sequence[Outcome]) -> Grid:
    """What the study cost, parent by parent."""
    rows = []
    for parent, own in _by_parent(outcomes):
        once = {one.run: one for one in own}.values()
        counts = (len(once), sum(one.evaluations for one in once), sum(one.images for one in once))
        rows.append((parent, *map(text.count, counts), text.duration(sum(one.seconds for one in once))))
    return Grid("Cost", ("Parent", "Runs", "Evaluations", "Image passes", "Wall time of runs"), tuple(rows))


def in_short(outcomes: Sequence[Outcome]) -> Grid:
    """One row a parent: its fitness and the best child's, soup's and ensemble's, of the sparse side's last word."""
    rows, (measure, *others) = [], _measures(outcomes)
    for parent, own in _by_parent(rows_for_tables(outcomes)):
        for search in dict.fromkeys((one.generations, one.arm) for one in own):
            some = [one for one in own if (one.generations, one.arm) == search]
            main = [_mean(some, lambda one, n=n: one.fitness[n], measure.show, interval=False) for n in LABELS]  # type: ignore[misc]
            beside = [
                _mean(some, lambda one, n=n: one.others[n], other.show, interval=False)  # type: ignore[misc]
                for other in others
                for n in ("parent", "ensemble")
            ]
            shown = sum(ahead_of_parent(one) for one in some)
            rows.append((parent, f"{search[0]} gen., {search[1]}", *main, *beside, f"{shown} of {len(some)}"))
    columns = (
        *("Parent", "Search", *(f"{name} {measure.in_table}" for name in LABELS.values())),
        *(f"{who} {other.in_table}" for other in others for who in ("Parent", "Ensemble")),
        "Shown better",
    )
    note = (
        "Means over seeds, on test. Shown better: cases in which soup or ensemble is ahead of its parent in "
        f"{measure.said} with "
    )
    return Grid("In short", columns, tuple(rows), note + "the 95% interval over images clear of zero.", words=2)


def ahead_of_parent(one: Outcome) -> bool:
    """Soup or ensemble better than the parent in the fitness, with the interval clear of zero."""
    found = (one.compared.get(name) for name in ("soup", "ensemble"))
    return any(compared is not None and compared.effect == "better" for compared in found)


def _by_parent(outcomes: Iterable[Outcome]) -> list[tuple[str, list[Outcome]]]:
    found: dict[str, list[Outcome]] = {}
    for one in outcomes:
        found.setdefault(one.parent, []).append(one)
    return list(found.items())


def _mean(
    outcomes: Sequence[Outcome],
    value: Callable[[Any], float],
    show: Callable[[float], str],
    *,
    interval: bool = True,
) -> str:
    found = over_seeds([value(one) for one in outcomes])
    return _spread(found, show) if interval else show(found.mean)


def _spread(found: OverSeeds, show: Callable[[float], str]) -> str:
    if found.n < 2:
        return show(found.mean)
    return f"{show(found.mean)} [{show(found.low)}, {show(found.high)}]"


def _signed(measure: ShownMeasure) -> Callable[[float], str]:
    """Differences: fractions in percentage points."""
    return _points if measure.is_fraction else lambda value: text.signed(value, 4)


def _unsigned(measure: ShownMeasure) -> Callable[[float], str]:
    """The same of a spread."""
    return (lambda value: f"{100 * value:.2f}") if measure.is_fraction else text.nats


def _hundredths(value: float) -> str:
    return text.signed(100 * value, 1) + "%"


def _points(value: float) -> str:
    return text.signed(100 * value, 2)
