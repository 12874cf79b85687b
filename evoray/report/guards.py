"""What a run kept elsewhere: a table for each guard, measured on the guard's own test."""

from collections.abc import Mapping
from typing import Any

from evoray.errors import UsageError
from evoray.report import text
from evoray.report.finished_run import NETWORKS, Run
from evoray.report.grids import Grid, difference
from evoray.report.measures import ShownMeasure, read_measures
from evoray.statistics import Comparison
from evoray.storage.documents import REMEDY


def guards(run: Run) -> list[Grid]:
    """Empty where the run had none."""
    found = run.summary.get("guards", [])
    try:
        return [_grid(run, guard) for guard in found]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"summary.json: guards are damaged ({type(error).__name__}: {error}). {REMEDY}") from None


def _grid(run: Run, guard: Mapping[str, Any]) -> Grid:
    measure = read_measures({"measures": guard["measures"]}, guard["figure"])[guard["figure"]]
    compared = {
        one.name: one
        for one in map(Comparison.from_dict, guard["comparisons"])
        if one.against == "parent" and one.metric in (measure.key, "fitness")
    }
    rows = tuple(
        _row(run, guard, measure, name, compared.get(name)) for name in NETWORKS if name == "parent" or name in guard
    )
    unit = " (points)" if measure.is_fraction else ""
    counts = {split: text.count(guard["splits"][split]) for split in ("select", "test")}
    note = f"Kept: {guard['keep']}. {text.count(guard['judged'])} candidates were judged on {counts['select']} "
    note += f"{guard['counted']} of its select, {text.count(guard['broken'])} of them broke it and were passed over; "
    note += f"these figures are of {counts['test']} others, which chose nothing."
    columns = ("Network", f"{measure.short} on its test", f"From the parent{unit}", "95% interval", "Held")
    return Grid(f"Guard {guard['name']} ({guard['task']})", columns, rows, note)


def _row(
    run: Run, guard: Mapping[str, Any], measure: ShownMeasure, name: str, one: Comparison | None
) -> tuple[str, ...]:
    figures = guard["parent"]["test"] if name == "parent" else guard[name]
    value = measure.show(figures[measure.key])
    holds = guard["holds"].get(name)
    if one is None or holds is None:  # the parent, and what is the parent itself
        return (run.label(name), value, text.NOTHING, text.NOTHING, text.NOTHING)
    middle, interval, _ = difference(one, measure)
    return (run.label(name), value, middle, interval, "yes" if holds else "no")
