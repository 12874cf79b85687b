"""What is reported of guards: their figure of parent, best child, soup and ensemble on the guard's own ``test``."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evoray.evaluation.units.ensemble import PanelUnit
from evoray.models import Buffers
from evoray.mutation import shared_base
from evoray.results.final_test import named_networks
from evoray.results.members import Choices
from evoray.results.panel import Panel, run_panel
from evoray.results.summary import compare_all, measures, tested_figures
from evoray.search.guards.judge import Judge
from evoray.search.session import Session
from evoray.search.stages import Part, StageKey
from evoray.statistics import Comparison, corrected
from evoray.storage.directory import RECALIBRATED
from evoray.tasks.base import Measure, as_dict

ROUNDING = 1e-12
"""As of constraints: a network exactly on the bound keeps it."""
NAMES = {"best_child": "best child", "soup": "soup", RECALIBRATED: "recalibrated soup", "ensemble": "ensemble"}


@dataclass(frozen=True)
class Guarded:
    """A guard and what its ``test`` said."""

    judge: Judge
    panel: Panel


def test_guards(session: Session, choices: Choices, own: Buffers) -> tuple[Guarded, ...]:
    """Looks at every guard's ``test``, after the run's own; own: the soup's BatchNorm statistics, where it has some."""
    return tuple(Guarded(judge, _looked_at(session, judge, choices, own)) for judge in choices.guards.judges)


def _looked_at(session: Session, judge: Judge, choices: Choices, own: Buffers) -> Panel:
    """The networks of the run's final test; the ensemble where the guard's task makes one, without a temperature."""
    task, fitness = judge.session.inputs.task, judge.guard.fitness
    members = choices.members if task.combine is not None else ()
    unit = PanelUnit(
        shared_base([member.lineage for member in members]),
        named_networks(choices, own),
        members,
        "test",
        0,
        session.close_search(),
        session.config.ensemble.method,
        block_width=0 if judge.guard.keep.metric in task.scored else fitness.layout.width,
        buffers=((RECALIBRATED, own),) if own else (),
    )
    return run_panel(judge.session, StageKey("panel/test", Part.GUARD), unit)


def with_guards(summary: dict[str, Any], choices: Choices, guarded: Sequence[Guarded]) -> dict[str, Any]:
    """The summary with a section for each guard, and a sentence of each in its verdict."""
    if not guarded:
        return summary
    found = [_section(one, choices) for one in guarded]
    return summary | {"verdict": " ".join([summary["verdict"], *(one["said"] for one in found)]), "guards": found}


def _section(one: Guarded, choices: Choices) -> dict[str, Any]:
    judge, panel = one.judge, one.panel
    session, keep = judge.session, judge.guard.keep
    tested, measured = tested_figures(session, panel), measures(session, panel)
    compared = corrected(compare_all(session, panel, bool(choices.soup)), keep.metric)
    compared = [each.turned(measured[keep.metric].higher_is_better) if _is_kept(each) else each for each in compared]
    changed = _changed(choices, panel)
    holds = {name: _holds(judge, tested[name], tested["parent"]) for name in changed}
    figures = session.fitness.layout.by_name(judge.parent)
    on_select = as_dict(session.fitness.layout.count(judge.parent), panel.task.figures(figures))
    return {
        "name": judge.guard.name,
        "keep": keep.text,
        "figure": keep.metric,
        "task": panel.task.schema.task,
        "counted": session.splits.counted,
        "measures": {name: asdict(measure) | {"said": measure.words} for name, measure in measured.items()},
        "splits": {split: session.splits.images(split) for split in ("select", "test")},
        "judged": judge.judged,
        "broken": judge.broken,
        "parent": {"select": on_select | {keep.metric: judge.parent_value}, "test": tested["parent"]},
        **{name: tested[name] for name in NAMES if name in tested},
        "holds": holds,
        "comparisons": [each.to_dict() for each in compared],
        "said": _said(judge, measured[keep.metric], tested, holds, compared),
    }


def _is_kept(comparison: Comparison) -> bool:
    """A figure that is no mean of records is compared as the guard's fitness is: higher is better."""
    return comparison.metric == "fitness"


def _changed(choices: Choices, panel: Panel) -> list[str]:
    """The networks of a panel that are not the parent itself."""
    same = {"best_child": not choices.best.ask.lineage.entries, "soup": choices.soup is None}
    return [name for name in NAMES if name in panel.names and not same.get(name, False)]


def _holds(judge: Judge, ours: Mapping[str, Any], parent: Mapping[str, Any]) -> bool:
    """Whether a network keeps the figure on the guard's ``test``; one that is not defined does not."""
    keep = judge.guard.keep
    own, theirs = ours[keep.metric], parent[keep.metric]
    if own is None or theirs is None:
        return False
    return bool((own - theirs - keep.bound) * (1 if keep.at_least else -1) >= -ROUNDING)


def _said(
    judge: Judge,
    measure: Measure,
    tested: Mapping[str, Mapping[str, Any]],
    holds: Mapping[str, bool],
    compared: Sequence[Comparison],
) -> str:
    """One sentence for the verdict."""
    keep = judge.guard.keep
    parent = f"the parent has {_shown(measure, tested['parent'][keep.metric])} {measure.words}"
    where = f"guard {judge.guard.name} ({keep.text}, {judge.session.splits.images('test')} {judge.counted} of its test)"
    if not holds:
        return f"The run holds {where}, as nothing but the parent stands: {parent}."
    kept = all(holds.values())
    differences = {one.name: one for one in compared if one.metric in (keep.metric, "fitness")}
    parts = list(_parts(measure, {name: tested[name][keep.metric] for name in holds}, differences))
    parts = [part if kept or not holds[name] else f"{part} holds it" for name, part in zip(holds, parts, strict=True)]
    return f"The run {'holds' if kept else 'breaks'} {where}: {parent}, {', '.join(parts)}."


def _parts(
    measure: Measure, values: Mapping[str, float | None], differences: Mapping[str, Comparison]
) -> Iterator[str]:
    """``best child 97.10% (-0.4 [-1.1, 0.3] points)``"""
    scale, unit = (100, " points") if measure.is_fraction else (1, "")
    for name, value in values.items():
        part = f"the {NAMES[name]} {_shown(measure, value)}"
        one = differences.get(name)
        if one is not None and all(map(math.isfinite, (one.difference, *one.ci95))):
            low, high = (f"{scale * bound:.3g}" for bound in one.ci95)
            part += f" ({scale * one.difference:+.3g} [{low}, {high}]{unit})"
        yield part


def _shown(measure: Measure, value: float | None) -> str:
    return "no" if value is None else measure.show(value)
