from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pyarrow as pa
import pytest

from evoray.report import figures
from evoray.report.finished_run import Run

ALL = [figures.population, figures.ensemble_size, figures.differences, figures.reliability]


@pytest.fixture
def run(summary: dict[str, Any], population: pa.Table) -> Run:
    return Run.of(summary, population)


@pytest.mark.parametrize("draw", ALL)
def test_axes_have_units_and_text_is_text(draw: Callable[[Run], str | None], run: Run) -> None:
    before = dict(mpl.rcParams)
    svg = draw(run)
    assert svg is not None and svg.startswith("<svg") and svg.endswith("</svg>")
    ElementTree.fromstring(re.sub(r"xlink:", "", svg))
    assert re.search(r"<text[^>]*>[^<]*\((nats per image|%|percentage points|members|count)\)", svg)
    assert dict(mpl.rcParams) == before


def test_figures_are_the_same_every_time_and_share_no_ids(run: Run) -> None:
    drawn = [draw(run) for draw in ALL]
    assert drawn == [draw(run) for draw in ALL]
    ids = [name for svg in drawn for name in re.findall(r'\bid="([^"]+)"', svg or "")]
    assert len(ids) == len(set(ids))
    for svg in drawn:
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg or ""))
        assert used <= set(re.findall(r'\bid="([^"]+)"', svg or ""))


def test_one_ruined_child_does_not_flatten_the_others(run: Run) -> None:
    svg = figures.population(run)
    assert svg is not None and "1 outside the frame" in svg and ">gen 1<" in svg


def test_nothing_to_show_is_no_figure(summary: dict[str, Any], population: pa.Table) -> None:
    bare = summary | {"comparisons": [], "reliability": {}, "ensemble": {"members": []}}
    failed = pa.Table.from_pylist([row | {"select_nll": None} for row in population.to_pylist()], population.schema)
    assert [draw(Run.of(bare, failed)) for draw in ALL] == [None] * 4


def test_a_single_child_and_a_single_member(summary: dict[str, Any], population: pa.Table) -> None:
    summary["ensemble"] |= {
        "members": summary["ensemble"]["members"][:1],
        "curve": summary["ensemble"]["curve"][:1],
    }
    run = Run.of(summary, population.slice(0, 1))
    assert figures.population(run) and figures.ensemble_size(run)


def test_thousands_of_children_stay_small(summary: dict[str, Any], population: pa.Table) -> None:
    svg = figures.population(Run.of(summary, pa.concat_tables([population] * 100)))
    assert svg is not None and len(svg) < 600_000


AXES = [
    ("cost", "Cost (per image)", "Cost minus the parent's (per image)"),
    ("macro-f1", "Macro F1 (%)", "Macro F1 minus the parent's (percentage points)"),
    ("mine:auc", "Fitness (auc)", "Fitness (auc) minus the parent's (auc)"),
    ("brier", "Brier score (0 to 2)", "NLL minus the parent's (nats per image)"),
    ("top1", "Top-1 accuracy (%)", "Top-1 accuracy minus the parent's (percentage points)"),
]


@pytest.mark.parametrize(("fitness", "axis", "difference"), AXES)
def test_axes_are_of_the_runs_fitness(fitness, axis, difference, run_for) -> None:
    run = run_for(fitness, ensemble=fitness != "mine:auc")
    children, forest = figures.population(run), figures.differences(run)
    assert f">{axis} on select<" in (children or "") and ">Parent<" in (children or "")
    assert forest is not None and difference in " ".join(re.findall(r"<text[^>]*>([^<]*)<", forest))


@pytest.mark.parametrize(("fitness", "left"), [("cost", "better"), ("macro-f1", "worse")])
def test_the_first_panel_says_which_side_is_better(fitness, left, run_for) -> None:
    svg = figures.differences(run_for(fitness)) or ""
    assert re.findall("← (better|worse)", svg)[0] == left


def test_the_size_of_the_ensemble_is_drawn_for_what_is_known_of_it(run_for, summary, population) -> None:
    top1_first = figures.ensemble_size(run_for("top1")) or ""
    assert "Top-1 accuracy and NLL of the ensemble" in top1_first
    nll_first = figures.ensemble_size(run_for("nll")) or ""
    assert "NLL and Top-1 accuracy of the ensemble" in nll_first
    curve = [{"size": 1, "mae": 0.5}, {"size": 2, "mae": 0.4}]
    other = summary | {"ensemble": summary["ensemble"] | {"curve": curve}}
    assert figures.ensemble_size(Run.of(other, population)) is None
