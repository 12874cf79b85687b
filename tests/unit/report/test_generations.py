from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from evoray.report.finished_run import Run
from evoray.report.generations import generations, select_test


def test_each_generation_has_its_best_its_middle_and_the_parents_line(summary, population) -> None:
    svg = generations(Run.of(summary, population))
    assert svg is not None
    for words in (
        "Best child",
        "Median child",
        "Middle half of the children",
        "Parent",
        "NLL (nats per image) on select",
    ):
        assert f">{words}<" in svg


def test_a_run_that_looked_for_accuracy_shows_accuracy(summary, population) -> None:
    svg = generations(Run.of(summary | {"fitness": "top1"}, population))
    assert svg is not None and ">Top-1 accuracy (%) on select<" in svg


def test_one_generation_is_no_course(summary: dict[str, Any], population: pa.Table) -> None:
    assert generations(Run.of(summary, population.slice(0, 30))) is None
    failed = [row | {"select_nll": None if row["generation"] else row["select_nll"]} for row in population.to_pylist()]
    assert generations(Run.of(summary, pa.Table.from_pylist(failed, population.schema))) is None


def test_a_parent_that_is_not_defined_has_no_line(summary, population) -> None:
    parent = {"select": summary["parent"]["select"] | {"nll": None}, "test": summary["parent"]["test"]}
    svg = generations(Run.of(summary | {"parent": parent}, population))
    assert svg is not None and ">Parent<" not in svg


def test_children_drawn_by_chance_stand_with_their_parent(summary, population) -> None:
    svg = select_test(Run.of(summary, population))
    assert svg is not None
    for words in ("NLL (nats per image) on select", "NLL (nats per image) on test", "Parent"):
        assert f">{words}<" in svg
    assert "Spearman's correlation 0.71 over 20 children" in svg


@pytest.mark.parametrize(
    ("fitness", "words"),
    [
        ("brier", "Brier score (0 to 2)"),
        ("balanced-accuracy", "Balanced accuracy (%)"),
        ("package.module:my_score", "Fitness (my_score)"),
    ],
)
def test_the_axes_say_the_fitness_with_its_unit(fitness, words, summary, population) -> None:
    svg = select_test(Run.of(summary | {"fitness": fitness}, population))
    assert svg is not None and f">{words} on select<" in svg and f">{words} on test<" in svg


def test_too_few_children_are_no_figure(summary: dict[str, Any], population: pa.Table) -> None:
    one = {"id": "g0000/c0000", "select": -0.2, "test": -0.2}
    for sample in ([], [one], [one, one | {"test": None}]):
        assert select_test(Run.of(summary | {"children": {"sample": sample}}, population)) is None
    assert (
        select_test(Run.of({name: value for name, value in summary.items() if name != "children"}, population)) is None
    )


def test_without_a_correlation_nothing_is_claimed(summary, population) -> None:
    children = summary["children"] | {"select_test": {"n": 2, "spearman": None}, "parent": {}}
    svg = select_test(Run.of(summary | {"children": children}, population))
    assert svg is not None and "Spearman" not in svg and ">Parent<" not in svg
