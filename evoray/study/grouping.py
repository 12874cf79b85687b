"""Which outcomes a table puts together: by parent, by search, and of one generation what each side chose."""

from collections.abc import Iterable, Iterator, Sequence

from evoray.report.measures import BEFORE, ShownMeasure
from evoray.study.outcome import Outcome

LABELS = {"parent": "Parent", "best_child": "Best child", "soup": "Soup", "ensemble": "Ensemble"}


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


def measures_of(outcomes: Sequence[Outcome]) -> list[ShownMeasure]:
    """The fitness of the runs, and the figure beside it where they have one."""
    if not outcomes:
        return [BEFORE["nll"], BEFORE["top1"]]
    return [one for one in (outcomes[0].measure, outcomes[0].beside) if one]


def by_parent(outcomes: Iterable[Outcome]) -> list[tuple[str, list[Outcome]]]:
    found: dict[str, list[Outcome]] = {}
    for one in outcomes:
        found.setdefault(one.parent, []).append(one)
    return list(found.items())


def by_search(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """Of one parent: ``10 gen., sparse`` and its outcomes, a seed each."""
    found: dict[tuple[int, str], list[Outcome]] = {}
    for one in outcomes:
        found.setdefault((one.generations, one.arm), []).append(one)
    for (generations, arm), some in found.items():
        yield f"{generations} gen., {arm}", some
