"""The study's tables: every figure is measured on ``test``, but for the window, which looks at all children."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from evoray.report import text
from evoray.report.grids import Grid
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
    grids = [make(outcomes) for make in makers]
    return [grid for grid in grids if grid is not None and grid.rows]


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
        nll = _mean(first, lambda one: one.nll["parent"], text.nats)
        top1 = _mean(first, lambda one: one.top1["parent"], text.percent)
        rows.append((parent, str(len(first)), nll, top1))
    return Grid("Parents", ("Parent", "Seeds", "NLL", "Top-1"), tuple(rows), _SEEDS)


def one_generation(outcomes: Sequence[Outcome]) -> Grid:
    """The paper's experiment: sparse and dense children, one generation, each side's setting chosen by ``select``."""
    note = "NLL on test minus the parent's, in nats; accuracy in percentage points. " + _SEEDS
    note += " Each side tried as many settings with as many children, and was given the one that was best on select."
    return Grid("One generation: dense against sparse", _COLUMNS, _compared(chosen(outcomes)), note, words=2)


def generations(outcomes: Sequence[Outcome]) -> Grid:
    """Several generations of each arm."""
    longer = [one for one in outcomes if one.role == "long"]
    number = longer[0].generations if longer else 0
    note = "As above; each arm goes on from the setting that its side chose in one generation."
    return Grid(f"{number} generations", _COLUMNS, _compared(longer), note, words=2)


_COLUMNS = (
    *("Parent", "Arm", "Evaluations", "Best child NLL", "Soup NLL", "Ensemble NLL"),
    *("Best child top-1", "Soup top-1", "Ensemble top-1"),
)


def _compared(outcomes: Sequence[Outcome]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for parent, own in _by_parent(outcomes):
        for arm in dict.fromkeys(one.arm for one in own):
            some = [one for one in own if one.arm == arm]
            nll = (_mean(some, lambda one, n=name: one.difference(n), _nats) for name in NETWORKS)  # type: ignore[misc]
            top1 = (
                _mean(some, lambda one, n=name: one.difference(n, "top1"), _points)  # type: ignore[misc]
                for name in NETWORKS
            )
            evaluations = _mean(some, lambda one: one.evaluations, text.count, interval=False)
            rows.append((parent, arm, evaluations, *nll, *top1))
    return tuple(rows)


def sparse_against_dense(outcomes: Sequence[Outcome]) -> Grid:
    """Sparse minus dense, case by case, at the same number of evaluations."""
    rows = []
    for label, arm, pairs in _pairs(outcomes):
        for network in NETWORKS:
            gaps = [sparse.nll[network] - dense.nll[network] for sparse, dense in pairs]
            ahead = sum(gap < 0 for gap in gaps)
            rows.append((label, arm, LABELS[network], f"{ahead} of {len(gaps)}", _spread(over_seeds(gaps), _nats)))
    note = "Test NLL of the sparse arm minus the dense arm's, over all parents and seeds; ahead where it is lower."
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
    reference = {(one.parent, one.seed): one.nll["parent"] for one in outcomes if one.role == "reference"}
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
            start = _mean(some, lambda one: one.nll["parent"], text.nats, interval=False)
            rows.append((parent, f"{search[0]} gen., {search[1]}", counts, start, text.nats(better), *shares))
    columns = ("Parent", "Search", "Evaluations", "Parent NLL", "Reference NLL", *(LABELS[n] for n in NETWORKS))
    note = "Share of the gap in test NLL between parent and reference that is closed. " + _SEEDS
    return Grid("Towards the reference", columns, tuple(rows), note, words=2)


def share(one: Outcome, reference: float, network: str) -> float:
    """1 where the network is as good as the reference, 0 where it is its parent."""
    return (one.nll["parent"] - one.nll[network]) / (one.nll["parent"] - reference)


def window(outcomes: Sequence[Outcome]) -> Grid:
    """The mutation window: children against their parent on ``select``, by K and sigma."""
    rows = []
    once = {one.run: one for one in outcomes if one.window is not None}.values()
    for parent, own in _by_parent(list(once)):
        for parts, sigma in sorted({(one.parts, one.sigma) for one in own if one.role != AUTO}):
            some = [one.window for one in own if (one.parts, one.sigma) == (parts, sigma) and one.window]
            mean, spread, best, better = (
                over_seeds([getattr(one, name) for one in some]).mean for name in ("mean", "spread", "best", "better")
            )
            figures = (_nats(mean), text.nats(spread), _nats(best), text.percent(better))
            failed = text.count(sum(one.failed for one in some))
            rows.append((parent, str(parts), text.plain(sigma), *figures, failed))
    note = "One generation's children on the select images: NLL minus the parent's, in nats, averaged over seeds."
    columns = ("Parent", "K", "Sigma", "Mean child", "Spread", "Best child", "Better than parent", "Failed")
    return Grid("Mutation window", columns, tuple(rows), note)


def sigma_auto(outcomes: Sequence[Outcome]) -> Grid | None:
    """``sigma = "auto"`` against the sweep, on the test NLL of what each run hands back (soup and ensemble)."""
    rows, within, total = [], 0, 0
    autos = {(one.parent, one.seed): one for one in outcomes if one.role == AUTO}
    for key, auto in autos.items():
        swept = [one for one in outcomes if one.role == "sweep" and (one.parent, one.seed) == key]
        if not swept:
            continue
        best = min(swept, key=lambda one: one.nll["soup"])
        ratio = auto.nll["soup"] / best.nll["soup"]
        within, total = within + (ratio <= 1.05), total + 1
        nll = (text.nats(one) for one in (auto.nll["soup"], best.nll["soup"]))
        sigmas = (text.plain(auto.sigma), text.plain(best.sigma))
        rows.append((*map(str, key), *sigmas, *nll, f"{ratio:.3f}", text.nats(auto.nll["parent"])))
    columns = ("Parent", "Seed", "Auto sigma", "Best sigma", "Auto NLL", "Best NLL", "Ratio", "Parent NLL")
    note = f"Test NLL of the soup; the sweep's best is the one that is lowest on test itself. Within 5%: {within} of "
    return Grid('sigma = "auto" against a sweep', columns, tuple(rows), f"{note}{total}.", words=1) if rows else None


def per_case(outcomes: Sequence[Outcome]) -> Grid:
    """Every case with its own interval over test images."""
    rows = []
    for one in rows_for_tables(outcomes):
        cells = []
        for network in NETWORKS:
            compared = one.comparisons["nll"].get(network)
            if compared is None:
                cells.append(text.NOTHING)
                continue
            low, high = compared.ci95
            cells.append(f"{_nats(compared.difference)} [{_nats(low)}, {_nats(high)}]")
        search = f"{one.generations} gen., {one.arm}"
        setting = f"K {one.parts}, sigma {text.plain(one.sigma)}"
        rows.append((one.parent, str(one.seed), search, setting, text.nats(one.nll["parent"]), *cells))
    columns = ("Parent", "Seed", "Search", "Setting", "Parent NLL", *(LABELS[name] for name in NETWORKS))
    note = "Difference to the parent's test NLL with its 95% interval over images, paired."
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
    """One row a parent: its NLL and the best child's, soup's and ensemble's, of the sparse side's last word."""
    rows = []
    for parent, own in _by_parent(rows_for_tables(outcomes)):
        for search in dict.fromkeys((one.generations, one.arm) for one in own):
            some = [one for one in own if (one.generations, one.arm) == search]
            nll = [_mean(some, lambda one, n=n: one.nll[n], text.nats, interval=False) for n in LABELS]  # type: ignore[misc]
            top1 = [
                _mean(some, lambda one, n=n: one.top1[n], text.percent, interval=False)  # type: ignore[misc]
                for n in ("parent", "ensemble")
            ]
            shown = sum(ahead_of_parent(one) for one in some)
            rows.append((parent, f"{search[0]} gen., {search[1]}", *nll, *top1, f"{shown} of {len(some)}"))
    columns = (
        *("Parent", "Search", *(f"{name} NLL" for name in LABELS.values())),
        *("Parent top-1", "Ensemble top-1", "Shown better"),
    )
    note = (
        "Means over seeds, on test. Shown better: cases in which soup or ensemble is ahead of its parent on NLL with "
    )
    return Grid("In short", columns, tuple(rows), note + "the 95% interval over images clear of zero.", words=2)


def ahead_of_parent(one: Outcome) -> bool:
    """Soup or ensemble better than the parent on NLL, with the interval clear of zero."""
    found = (one.comparisons["nll"].get(name) for name in ("soup", "ensemble"))
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


def _nats(value: float) -> str:
    return text.signed(value, 4)


def _hundredths(value: float) -> str:
    return text.signed(100 * value, 1) + "%"


def _points(value: float) -> str:
    return text.signed(100 * value, 2)
