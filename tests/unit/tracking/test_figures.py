"""The flat names and numbers that trackers take."""

from __future__ import annotations

import math

import pytest

from evoray.runtime.events import RoundDone
from evoray.tracking.figures import flattened, of_round, of_test, plain

ROUND = RoundDone(
    generation=3,
    kind="child",
    candidates=40,
    failed=2,
    best_fitness=-0.2,
    mean_fitness=-0.3,
    wall_s=1.5,
    figures={"best": {"nll": 0.2, "top1": 0.9, "auc": None}, "mean": {"nll": 0.3}},
)


def test_a_configuration_is_flat_and_what_is_not_given_is_left_out():
    values = {
        "seed": 0,
        "parent": {"name": "cnn", "weights": None, "mean": [0.5, 0.5]},
        "guard": [{"name": "old", "data": {"path": "x"}}],
        "mutation": {"antithetic": False, "include": []},
    }
    assert flattened(values) == {
        "seed": 0,
        "parent.name": "cnn",
        "parent.mean": "[0.5, 0.5]",
        "guard.0.name": "old",
        "guard.0.data.path": "x",
        "mutation.antithetic": False,
        "mutation.include": "[]",
    }


def test_a_round_has_the_task_s_figures_in_their_own_directions():
    assert of_round(ROUND.to_dict(), workers=4) == {
        "generation": 3,
        "workers": 4,
        "children/count": 40,
        "children/failed": 2,
        "children/seconds": 1.5,
        "children/best/nll": 0.2,
        "children/best/top1": 0.9,
        "children/mean/nll": 0.3,
    }


def test_a_round_of_before_there_were_figures_has_its_fitness():
    line = {key: value for key, value in ROUND.to_dict().items() if key != "figures"}
    found = of_round(line | {"kind": "soup"})
    assert (found["soups/best/fitness"], found["soups/mean/fitness"]) == (-0.2, -0.3)
    assert "workers" not in found


def test_a_round_whose_candidates_all_failed_has_no_figures():
    line = RoundDone(0, "child", 4, 4, None, None, 0.5).to_dict()
    assert of_round(line) == {
        "generation": 0,
        "children/count": 4,
        "children/failed": 4,
        "children/seconds": 0.5,
    }


def test_figures_on_test_are_those_that_the_summary_measures():
    summary = {
        "measures": {"mse": {}, "measure:r2": {}},
        "parent": {"select": {"mse": 9.0}, "test": {"n": 10, "mse": 2.0, "measure:r2": 0.5}},
        "soup": {"id": "g0", "entries": 3, "mse": 1.0, "measure:r2": math.nan},
    }
    networks = {"parent": "parent", "soup": "soup", "ensemble": "ensemble"}
    assert of_test(summary, networks) == {"test/parent/mse": 2.0, "test/parent/r2": 0.5, "test/soup/mse": 1.0}


@pytest.mark.parametrize(
    ("name", "taken"),
    [("nll", "nll"), ("my.measure:macro_f1", "macro_f1"), ("a/b", "a_b"), ("m:größe", "größe"), (":", "figure")],
)
def test_names_are_such_as_every_tracker_takes(name, taken):
    assert plain(name) == taken
