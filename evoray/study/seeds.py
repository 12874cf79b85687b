"""Every seed's figure beside their mean, standard deviation and interval."""

from collections.abc import Iterator, Sequence

from evoray.report import text
from evoray.report.grids import Grid
from evoray.report.measures import ShownMeasure
from evoray.statistics import over_seeds
from evoray.study.cells import signed, unsigned, with_interval
from evoray.study.grouping import LABELS, by_parent, by_search, measures_of, rows_for_tables
from evoray.study.outcome import Outcome

COLUMNS = 10
"""More seeds than this have no columns of their own: ``outcomes.csv`` has a line each."""


def seed_by_seed(outcomes: Sequence[Outcome]) -> Grid | None:
    """In the run's fitness."""
    return _grid(outcomes, measures_of(outcomes)[0])


def seed_by_seed_beside(outcomes: Sequence[Outcome]) -> Grid | None:
    """In the figure beside it; None where the runs have none."""
    return next((_grid(outcomes, one) for one in measures_of(outcomes)[1:]), None)


def _grid(outcomes: Sequence[Outcome], measure: ShownMeasure) -> Grid:
    known = [one for one in rows_for_tables(outcomes) if measure.key in one.tested]
    seeds = sorted({one.seed for one in known})
    shown = seeds if len(seeds) <= COLUMNS else []
    rows = tuple(row for parent, own in by_parent(known) for row in _rows(parent, own, measure, shown))
    columns = (*("Parent", "Search", "Network"), *(f"Seed {seed}" for seed in shown))
    columns = (*columns, "Seeds", "Mean", "SD", "Minus parent's")
    note = f"{measure.label} on test ({_unit(measure)}), a column a seed; mean with Student's 95% interval over seeds, "
    note += f"standard deviation, and the same mean of the difference to the parent's ({measure.difference_unit})."
    return Grid(f"Seed by seed: {measure.said}", columns, rows, note, words=3)


def _unit(measure: ShownMeasure) -> str:
    return measure.direction if measure.is_fraction or not measure.unit else f"{measure.unit}, {measure.direction}"


def _rows(
    parent: str, own: Sequence[Outcome], measure: ShownMeasure, seeds: Sequence[int]
) -> Iterator[tuple[str, ...]]:
    for search, some in by_search(own):
        for network, label in LABELS.items():
            values = {one.seed: one.tested[measure.key][network] for one in some if network in one.tested[measure.key]}
            if not values:
                continue
            known = [one for one in some if network in one.comparisons[measure.key]]
            gap = with_interval([one.difference(network, measure) for one in known], signed(measure)) if known else ""
            cells = [measure.show(values.get(seed)) for seed in seeds]
            yield (parent, search, label, *cells, *_over(list(values.values()), measure), gap or text.NOTHING)


def _over(values: Sequence[float], measure: ShownMeasure) -> tuple[str, str, str]:
    deviation = unsigned(measure)(over_seeds(values).sd) if len(values) > 1 else text.NOTHING
    return (str(len(values)), with_interval(values, measure.show), deviation)
