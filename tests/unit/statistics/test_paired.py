from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from scipy import stats

from evoray import statistics
from evoray.errors import RunError, UsageError
from evoray.statistics import Comparison


def compare(name: str, metric: str, ours: np.ndarray, parent: np.ndarray, **how: bool) -> Comparison:
    """NLL is a mean where lower is better, top-1 a share of right answers."""
    right = metric == "top1"
    return statistics.compare(name, metric, ours, parent, **{"shares": right, "higher_is_better": right, **how})


def answers(both: int, won: int, lost: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    ours = [1] * both + [1] * won + [0] * lost + [0] * neither
    parent = [1] * both + [0] * won + [1] * lost + [0] * neither
    return np.array(ours, dtype=float), np.array(parent, dtype=float)


def mcnemar_by_enumeration(won: int, lost: int) -> float:
    """Share of all ways the discordant images could have fallen that are at least as one-sided."""
    outcomes = list(itertools.product((0, 1), repeat=won + lost))
    extreme = sum(abs(2 * sum(o) - len(o)) >= abs(won - lost) for o in outcomes)
    return extreme / len(outcomes)


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 0), (3, 3), (7, 2), (2, 7), (10, 0), (5, 6)])
def test_mcnemar_equals_enumeration(won: int, lost: int) -> None:
    found = compare("soup", "top1", *answers(20, won, lost, 4))
    assert found.p_value == pytest.approx(mcnemar_by_enumeration(won, lost))
    assert found.difference == pytest.approx((won - lost) / (24 + won + lost))


def score(n: int, won: int, lost: int, delta: float) -> float:
    """The score statistic with its nuisance parameter found by brute force instead of in closed form."""
    q = np.linspace(max(0.0, -delta), (1 - delta) / 2, 2_000_001)[1:-1]
    with np.errstate(divide="ignore"):
        likelihood = (n - won - lost) * np.log(1 - 2 * q - delta)
        likelihood += won * np.log(q + delta) if won else 0
        likelihood += lost * np.log(q) if lost else 0
    best = q[np.argmax(likelihood)]
    return (won - lost - n * delta) / math.sqrt(n * (2 * best + delta * (1 - delta)))


@pytest.mark.parametrize(("n", "won", "lost"), [(44, 0, 1), (100, 8, 3), (50, 1, 12), (2000, 60, 31)])
def test_both_bounds_solve_the_score_equation(n: int, won: int, lost: int) -> None:
    low, high = compare("x", "top1", *answers(n - won - lost, won, lost, 0)).ci95
    assert score(n, won, lost, low) == pytest.approx(1.959964, abs=1e-3)
    assert score(n, won, lost, high) == pytest.approx(-1.959964, abs=1e-3)


def test_top1_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(11)
    shares = [0.80, 0.07, 0.03, 0.10]
    covered = 0
    for counts in rng.multinomial(300, shares, size=1000):
        low, high = compare("x", "top1", *answers(*counts)).ci95
        covered += low <= 0.04 <= high
    assert 0.935 <= covered / 1000 <= 0.968


def test_nll_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(12)
    covered = 0
    for _ in range(1000):
        parent = rng.exponential(1.0, 25)
        low, high = compare("x", "nll", parent + rng.normal(0.1, 0.3, 25), parent).ci95
        covered += low <= 0.1 <= high
    assert 0.935 <= covered / 1000 <= 0.968


def test_nll_is_scipys_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    ours, parent = rng.exponential(0.2, 40), rng.exponential(0.25, 40)
    expected = stats.ttest_rel(ours, parent)
    found = compare("ensemble", "nll", ours, parent)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.ci95 == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-12)


def test_lower_nll_and_higher_accuracy_are_better() -> None:
    rng = np.random.default_rng(1)
    parent = rng.exponential(0.2, 500)
    assert compare("x", "nll", parent - 0.01 + rng.normal(0, 0.01, 500), parent).effect == "better"
    assert compare("x", "nll", parent + 0.01 + rng.normal(0, 0.01, 500), parent).effect == "worse"
    assert compare("x", "top1", *answers(300, 40, 5, 20)).effect == "better"
    assert compare("x", "top1", *answers(300, 5, 40, 20)).effect == "worse"
    assert compare("x", "top1", *answers(300, 11, 9, 20)).effect == "not shown"


def test_interval_clear_of_zero_is_not_enough_when_the_exact_test_disagrees() -> None:
    found = compare("x", "top1", *answers(94, 5, 0, 1))
    assert found.ci95[0] > 0 and found.p_value > 0.05
    assert found.effect == "not shown"


def test_the_same_network_shows_no_difference() -> None:
    same = compare("x", "nll", np.ones(5), np.ones(5))
    assert (same.difference, same.ci95, same.p_value, same.effect) == (0, (0, 0), 1, "not shown")
    right = compare("x", "top1", *answers(90, 0, 0, 10))
    z2 = stats.norm.ppf(0.975) ** 2
    assert right.ci95 == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)), abs=1e-6)
    assert right.p_value == 1


@pytest.mark.parametrize(("won", "lost"), [(6, 0), (0, 6)])
def test_all_images_changed_sides(won: int, lost: int) -> None:
    found = compare("x", "top1", *answers(0, won, lost, 0))
    z2 = stats.norm.ppf(0.975) ** 2
    inner = (6 - z2) / (6 + z2)
    assert found.ci95 == pytest.approx((inner, 1) if won else (-1, -inner), abs=1e-6)


@pytest.mark.parametrize("bad", [[0.1, math.nan], [0.1, math.inf], [0.1]])
def test_what_is_undefined_is_none_in_json(bad: list[float]) -> None:
    found = compare("x", "nll", np.array(bad), np.zeros(len(bad)))
    assert found.effect == "undefined"
    assert found.to_dict()["ci95"] == [None, None]
    again = Comparison.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again.to_dict() == found.to_dict()


@pytest.mark.parametrize(
    ("metric", "ours", "parent", "names"),
    [
        ("nll", [1.0], [1.0, 2.0], "shape"),
        ("nll", [], [], "at least one"),
        ("top1", [0.5, 1.0], [0.0, 1.0], "candidate holds 0.5"),
        ("top1", [0.0, 1.0], [0.0, math.nan], "parent holds nan"),
    ],
)
def test_refuses_by_name(metric: str, ours: list[float], parent: list[float], names: str) -> None:
    with pytest.raises(RunError, match=names):
        compare("soup", metric, np.array(ours), np.array(parent))


def test_damaged_json_is_a_usage_error() -> None:
    good = compare("x", "nll", np.arange(4.0), np.ones(4)).to_dict()
    for damage in (
        {"ci95": [1]},
        {"metric": "f1", "higher_is_better": None},
        {"p_value": "small"},
        {"higher_is_better": "yes"},
    ):
        with pytest.raises(UsageError):
            Comparison.from_dict(good | damage)


@pytest.mark.parametrize(("higher", "effect"), [(True, "better"), (False, "worse")])
def test_a_tasks_own_figure_says_which_way_is_better(higher, effect):
    values = np.random.default_rng(0).normal(size=500)
    one = compare("soup", "mae", values + 0.5, values + 0.1 * values[::-1], shares=False, higher_is_better=higher)
    assert one.effect == effect
    hits = np.arange(500) % 2
    assert compare("soup", "exact", np.ones(500), hits, shares=True, higher_is_better=higher).effect == effect


@pytest.mark.parametrize("metric", ["nll", "top1", "top5", "fitness"])
def test_files_of_before_say_no_direction_and_have_the_one_they_had(metric):
    one = Comparison("soup", metric, -0.5, (-0.6, -0.4), 0.001)
    old = {key: value for key, value in one.to_dict().items() if key != "higher_is_better"}
    assert Comparison.from_dict(old).effect == one.effect == ("better" if metric == "nll" else "worse")


@pytest.mark.parametrize("higher", [True, False])
def test_a_file_says_which_way_is_better_of_any_metric(higher):
    one = Comparison("soup", "mae", -0.5, (-0.6, -0.4), 0.001, higher_is_better=higher)
    again = Comparison.from_dict(json.loads(json.dumps(one.to_dict())))
    assert (again.metric, again.effect) == ("mae", "worse" if higher else "better")


def test_a_difference_is_turned_with_its_intervals_and_says_the_same():
    one = Comparison("soup", "fitness", 2.5, (1.0, 4.0), 0.01, 3.0, bootstrap_ci95=(0.9, 4.1))
    found = one.turned(higher_is_better=False)
    assert (found.difference, found.ci95, found.bootstrap_ci95) == (-2.5, (-4.0, -1.0), (-4.1, -0.9))
    assert found.effect == one.effect == "better" and one.turned(higher_is_better=True) is one
