"""The study's tables: every figure is measured on ``test``, but for the window, which looks at all children."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from evoray.report import text
from evoray.report.grids import Grid
from evoray.runtime.auto import AUTO
from evoray.study.cells import Figures, hundredths, mean, signed, unsigned, with_interval, with_sd
from evoray.study.grouping import LABELS, by_parent, by_search, chosen, measures_of, rows_for_tables
from evoray.study.outcome import NETWORKS, Outcome
from evoray.study.seeds import seed_by_seed, seed_by_seed_beside

_SD = "Mean ± standard deviation over seeds."
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
        seed_by_seed,
        seed_by_seed_beside,
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


def parents(outcomes: Sequence[Outcome]) -> Grid:
    """The parents themselves."""
    rows = []
    for parent, own in by_parent(chosen(outcomes)):
        first = list({one.seed: one for one in own}.values())
        shown = measures_of(outcomes)
        figures = (with_interval([one.tested[m.key]["parent"] for one in first], m.show) for m in shown)
        rows.append((parent, str(len(first)), *figures))
    return Grid("Parents", ("Parent", "Seeds", *(one.short for one in measures_of(outcomes))), tuple(rows), _SEEDS)


def one_generation(outcomes: Sequence[Outcome]) -> Grid:
    """The paper's experiment: sparse and dense children, one generation, each side's setting chosen by ``select``."""
    first, *others = [f"{one.said} ({one.difference_unit}, {one.direction})" for one in measures_of(outcomes)]
    note = f"Difference to the parent's on test: {', '.join([first, *others])}. {_SEEDS}"
    note += " Each side tried as many settings with as many children, and was given the one that was best on select."
    return Grid("One generation: dense against sparse", _columns(outcomes), _compared(chosen(outcomes)), note, words=2)


def generations(outcomes: Sequence[Outcome]) -> Grid:
    """Several generations of each arm."""
    longer = [one for one in outcomes if one.role == "long"]
    number = longer[0].generations if longer else 0
    note = "As above; each arm goes on from the setting that its side chose in one generation."
    return Grid(f"{number} generations", _columns(outcomes), _compared(longer), note, words=2)


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _columns(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    shown = (f"{LABELS[name]} {one.in_table}" for one in measures_of(outcomes) for name in NETWORKS)
    return ("Parent", "Arm", "Evaluations", *shown)


def _compared(outcomes: Sequence[Outcome]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for parent, own in by_parent(outcomes):
        for arm in dict.fromkeys(one.arm for one in own):
            some = [one for one in own if one.arm == arm]
            differences = [
                with_interval([one.difference(name, measure) for one in some], signed(measure))
                for measure in measures_of(outcomes)
                for name in NETWORKS
            ]
            evaluations = mean([one.evaluations for one in some], text.count)
            rows.append((parent, arm, evaluations, *differences))
    return tuple(rows)


def sparse_against_dense(outcomes: Sequence[Outcome]) -> Grid:
    """Sparse minus dense, case by case, at the same number of evaluations."""
    rows = []
    measure = measures_of(outcomes)[0]
    for label, arm, pairs in _pairs(outcomes):
        for network in NETWORKS:
            gaps = [sparse.fitness[network] - dense.fitness[network] for sparse, dense in pairs]
            ahead = sum(measure.sign * gap > 0 for gap in gaps)
            rows.append((label, arm, LABELS[network], f"{ahead} of {len(gaps)}", with_interval(gaps, signed(measure))))
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
    measure = measures_of(outcomes)[0]
    known = [one for one in rows_for_tables(outcomes) if (one.parent, one.seed) in reference]
    rows = []
    for parent, own in by_parent(known):
        for search, some in by_search(own):
            goals = [reference[one.parent, one.seed] for one in some]
            shares = (
                with_interval([share(one, goal, n) for one, goal in zip(some, goals, strict=True)], hundredths)
                for n in NETWORKS
            )
            counts = mean([one.evaluations for one in some], text.count)
            start = with_sd([one.fitness["parent"] for one in some], measure.show)
            rows.append((parent, search, counts, start, with_sd(goals, measure.show), *shares))
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
    rows, measure = [], measures_of(outcomes)[0]
    once = {one.run: one for one in outcomes if one.window is not None}.values()
    for parent, own in by_parent(list(once)):
        for parts, sigma in sorted({(one.parts, one.sigma) for one in own if one.role != AUTO}):
            some = [one.window for one in own if (one.parts, one.sigma) == (parts, sigma) and one.window]
            values = {name: [getattr(one, name) for one in some] for name in ("mean", "spread", "best", "better")}
            show, width = signed(measure), unsigned(measure)
            figures = (
                *(with_sd(values["mean"], show, width), with_sd(values["spread"], width)),
                *(with_sd(values["best"], show, width), with_sd(values["better"], text.percent)),
            )
            failed = text.count(sum(one.failed for one in some))
            rows.append((parent, str(parts), text.plain(sigma), *figures, failed))
    note = f"One generation's children on the select images: {measure.said} minus the parent's "
    note += f"({measure.difference_unit}, {measure.direction}). {_SD}"
    columns = ("Parent", "K", "Sigma", "Mean child", "Spread", "Best child", "Better than parent", "Failed")
    return Grid("Mutation window", columns, tuple(rows), note)


def sigma_auto(outcomes: Sequence[Outcome]) -> Grid | None:
    """``sigma = "auto"`` against the sweep, on the test fitness of the soup that each run hands back."""
    measure, rows, within, total = measures_of(outcomes)[0], [], 0, 0
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
    rows, measure = [], measures_of(outcomes)[0]
    show = signed(measure)
    for one in rows_for_tables(outcomes):
        cells = []
        for network in NETWORKS:
            compared = one.compared.get(network)
            if compared is None:
                cells.append(text.NOTHING)
                continue
            low, high = compared.ci95
            cells.append(Figures("interval", *map(show, (compared.difference, low, high))))
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
    for parent, own in by_parent(outcomes):
        once = {one.run: one for one in own}.values()
        counts = (len(once), sum(one.evaluations for one in once), sum(one.images for one in once))
        rows.append((parent, *map(text.count, counts), text.duration(sum(one.seconds for one in once))))
    return Grid("Cost", ("Parent", "Runs", "Evaluations", "Image passes", "Wall time of runs"), tuple(rows))


def in_short(outcomes: Sequence[Outcome]) -> Grid:
    """One row a parent: its fitness and the best child's, soup's and ensemble's, of the sparse side's last word."""
    rows, (measure, *others) = [], measures_of(outcomes)
    for parent, own in by_parent(rows_for_tables(outcomes)):
        for search, some in by_search(own):
            main = [with_sd([one.fitness[n] for one in some], measure.show) for n in LABELS]
            beside = [
                with_sd([one.others[n] for one in some], other.show) for other in others for n in ("parent", "ensemble")
            ]
            shown = sum(ahead_of_parent(one) for one in some)
            rows.append((parent, search, *main, *beside, f"{shown} of {len(some)}"))
    columns = (
        *("Parent", "Search", *(f"{name} {measure.in_table}" for name in LABELS.values())),
        *(f"{who} {other.in_table}" for other in others for who in ("Parent", "Ensemble")),
        "Shown better",
    )
    note = (
        f"On test. {_SD} Shown better: cases in which soup or ensemble is ahead of its parent in {measure.said} with "
    )
    return Grid("In short", columns, tuple(rows), note + "the 95% interval over images clear of zero.", words=2)


def ahead_of_parent(one: Outcome) -> bool:
    """Soup or ensemble better than the parent in the fitness, with the interval clear of zero."""
    found = (one.compared.get(name) for name in ("soup", "ensemble"))
    return any(compared is not None and compared.effect == "better" for compared in found)
