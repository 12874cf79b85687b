from __future__ import annotations

import math
from dataclasses import replace

from evoray import statistics
from evoray.statistics import Comparison, corrected
from evoray.tasks.base import Measure
from evoray.tasks.image_classification import ImageClassification

MEASURES = {**ImageClassification.measures, "fitness": Measure("Macro F1", "fraction", True, "Macro F1")}


def verdict(comparisons, primary="nll", measures=MEASURES):
    return statistics.verdict(comparisons, primary, measures)


def one(name: str, metric: str, difference: float, half: float, p: float) -> Comparison:
    return Comparison(name, metric, difference, (difference - half, difference + half), p)


UNCLEAR = one("best_child", "nll", -0.002, 0.003, 0.2)


def test_no_improvement_is_said_plainly() -> None:
    said = verdict([UNCLEAR, one("ensemble", "top1", 0.004, 0.005, 0.1)])
    assert said.startswith("No improvement shown on test.")
    assert "include zero" in said and "Improvement on" not in said


def test_improvement_names_who_and_how_much() -> None:
    said = verdict(
        [UNCLEAR, one("ensemble", "nll", -0.0171, 0.004, 1e-9), one("ensemble", "top1", 0.0048, 0.003, 0.01)]
    )
    assert "the ensemble (NLL lower by 0.0171, top-1 accuracy higher by 0.48 percentage points)" in said
    assert said.endswith("No improvement shown for the best child.")


def test_worse_is_never_hidden_nor_counted_as_better() -> None:
    said = verdict([one("soup", "nll", 0.02, 0.01, 0.001)])
    assert said.startswith("No improvement shown") and "Worse than the parent: the soup (NLL higher by 0.02)" in said
    assert "include zero" not in said
    both = verdict([one("soup", "nll", -0.02, 0.01, 0.001), one("soup", "top1", -0.02, 0.01, 0.001)])
    assert "Improvement on the parent" in both and "Worse than the parent" in both


def test_undefined_is_no_improvement() -> None:
    said = verdict([Comparison("soup", "nll", math.nan, (math.nan, math.nan), math.nan)])
    assert said.startswith("No improvement shown") and "not finite: the soup (NLL)" in said


def test_what_was_not_asked_for_is_no_improvement_of_the_run() -> None:
    said = verdict(
        [one("ensemble", "nll", -0.02, 0.01, 1e-4), one("ensemble", "fitness", 0.001, 0.01, 0.8)], primary="fitness"
    )
    assert said.startswith("No improvement shown on test in macro F1, which the search was to improve.")
    assert "Beside what the search was to improve: the ensemble (NLL lower by 0.02)" in said


def test_an_ensemble_that_is_only_better_calibrated_claims_nothing() -> None:
    plain = one("ensemble", "nll", -0.02, 0.01, 1e-4)
    against = replace(one("ensemble", "nll", -0.001, 0.01, 0.8), against="parent_calibrated")
    assert verdict([plain]).startswith("Improvement")
    assert verdict([plain, against]).startswith("No improvement shown")
    assert verdict([plain, replace(plain, against="parent_calibrated")]).startswith("Improvement")


def test_intervals_clear_of_zero_by_chance_are_said_to_be() -> None:
    said = verdict(corrected([one("soup", "nll", -0.02, 0.019, 0.04), UNCLEAR]))
    assert said.startswith("No improvement shown on test. Every difference from the parent may be chance")
    assert said.endswith("once all that was compared is counted.")
