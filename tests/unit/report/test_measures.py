from __future__ import annotations

import pytest

from evoray.report.measures import BEFORE, ShownMeasure, own, read_measures

COST = ShownMeasure("cost", "Cost", "Cost", "per image", False, "cost")


@pytest.mark.parametrize(
    ("measure", "axis", "described", "shown", "difference"),
    [
        (BEFORE["nll"], "NLL (nats per image)", "NLL (nats per image, lower is better)", "0.2500", "nats per image"),
        (BEFORE["top1"], "Top-1 accuracy (%)", "top-1 accuracy (higher is better)", "25.00%", "percentage points"),
        (BEFORE["macro-f1"], "Macro F1 (%)", "macro F1 (higher is better)", "25.00%", "percentage points"),
        (BEFORE["brier"], "Brier score (0 to 2)", "Brier score (0 to 2, lower is better)", "0.2500", "0 to 2"),
        (COST, "Cost (per image)", "cost (per image, lower is better)", "0.2500", "per image"),
        (own("mine:auc"), "Fitness (auc)", "auc (higher is better)", "0.2500", "auc"),
    ],
)
def test_a_measure_says_its_name_unit_and_direction(measure, axis, described, shown, difference):
    assert (measure.axis, measure.described, measure.difference_unit) == (axis, described, difference)
    assert measure.show(0.25) == shown and measure.show(None) == "–"
    assert (measure.sign > 0) == ("higher" in measure.direction)


def written(*measures):
    return {one.key: {name: value for name, value in vars(one).items() if name != "key"} for one in measures}


def test_the_runs_fitness_is_first_and_all_are_as_the_summary_says():
    found = read_measures({"measures": written(BEFORE["nll"], COST)}, "cost")
    assert list(found) == ["cost", "nll"] and found["cost"] == COST


def test_a_run_of_before_has_the_figures_that_all_had():
    summary = {"parent": {"test": {"nll": 1.0}}}
    assert list(read_measures(summary, "top1")) == ["top1", "top5", "nll", "ece"]
    assert list(read_measures({"parent": {"test": {"brier": 1.0}}}, "mine:auc")) == [
        *("mine:auc", "top1", "top5", "nll", "ece", "brier")
    ]


@pytest.mark.parametrize("damage", [{"nll": {}}, {"nll": None}, {"nll": {"label": "NLL"}}, [], 3])
def test_damage_is_an_error_and_no_guess(damage):
    with pytest.raises((KeyError, TypeError, AttributeError)):
        read_measures({"measures": damage}, "nll")
