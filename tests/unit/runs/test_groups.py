"""A fitness that is no mean of records, of two runs: against the counts by hand, and what each run says of itself."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from evoray.fitness.per_class import OF_COUNTS
from evoray.report.finished_run import Run as Finished
from evoray.runs.compare import compare_runs
from evoray.runs.groups import Groups, difference, groups_of
from evoray.runs.pairing import Named, pair_all
from evoray.runs.run import load_run


def named(*folders):
    return [Named(one.name, load_run(str(one))) for one in folders]


def test_macro_f1_is_paired_over_the_same_records(by_f1):
    a, b = named(by_f1 / "f1", by_f1 / "f1-b")
    (pair,) = pair_all([a, b])
    assert pair.reason == "" and pair.left_out == ()
    found = {(one.name, one.metric): one for one in pair.comparisons}
    for network in ("best_child", "soup", "ensemble"):
        one = found[network, "macro-f1"]
        expected = b.run.summary[network]["macro-f1"] - a.run.summary[network]["macro-f1"]
        assert one.difference == pytest.approx(expected, abs=1e-12)
        assert one.ci95[0] <= one.difference <= one.ci95[1] and 0 <= one.p_value <= one.p_adjusted <= 1
    assert ("parent", "macro-f1") not in found and ("soup", "nll") in found
    document = compare_runs([str(by_f1 / "f1"), str(by_f1 / "f1-b")])
    assert "Macro F1 in percentage points (jackknife over 20 groups of them)" in document.grids[0].note
    assert document.remarks == []


def test_a_child_against_its_parent_is_as_the_run_compared_it(by_f1):
    """The parent of ``f1`` put in the place of its best child: the run's own interval, of the run's own comparison."""
    (run,) = named(by_f1 / "f1")
    groups = run.records.groups
    found = difference("best_child", "macro-f1", groups["best_child"], groups["parent"])
    own = next(one for one in run.finished.comparisons if (one.name, one.metric) == ("best_child", "fitness"))
    assert (found.difference, *found.ci95, found.p_value) == pytest.approx(
        (own.difference, *own.ci95, own.p_value), nan_ok=True
    )


def test_counts_that_do_not_give_the_reported_figure_are_not_used(by_f1, tmp_path):
    shutil.copytree(by_f1 / "f1-b", tmp_path / "f1-b")
    path = tmp_path / "f1-b/summary.json"
    summary = json.loads(path.read_text())
    summary["soup"]["macro-f1"] += 0.01
    path.write_text(json.dumps(summary))
    (pair,) = pair_all(named(by_f1 / "f1", tmp_path / "f1-b"))
    assert "soup" not in {one.name for one in pair.comparisons if one.metric == "macro-f1"}
    assert "best_child" in {one.name for one in pair.comparisons if one.metric == "macro-f1"}


@pytest.mark.parametrize(
    "shard",
    [None, (np.array([1, 2]), np.array([1.0])), (np.array([10**9]), np.array([1.0]))],
)
def test_arrays_that_do_not_fit_give_none(shard):
    shard = {} if shard is None else {"block_at": shard[0], "block_sum": shard[1]}
    finished = Finished({"fitness": "macro-f1", "classes": {"data": 3}}, [])
    assert groups_of(finished, "image-classification", ["parent"], [shard]) == {}
    assert groups_of(finished, "mine:Task", ["parent"], []) == {}
    assert groups_of(Finished({"fitness": "nll"}, []), "image-classification", ["parent"], []) == {}


def test_other_groups_are_not_compared():
    random = np.random.default_rng(0)
    counts = random.integers(1, 9, (20, 3, 4)).astype(float)
    one = Groups(np.full(20, 9.0), counts)
    assert difference("soup", "macro-f1", one, Groups(np.arange(20.0), counts)) is None
    assert difference("soup", "macro-f1", one, Groups(one.records, counts[:, :, :3])) is None
    for name in OF_COUNTS:
        assert difference("soup", name, one, one).difference == 0


def test_a_fitness_of_the_users_is_said_not_to_be_compared(by_f1, tmp_path):
    places = []
    for name in ("f1", "f1-b"):
        shutil.copytree(by_f1 / name, tmp_path / name)
        path = tmp_path / name / "summary.json"
        path.write_text(path.read_text().replace("macro-f1", "mine:auc"))
        places.append(str(tmp_path / name))
    found = compare_runs(places)
    assert found.remarks == [
        "macro F1 is shown, and not compared: the runs keep neither its scores of single records nor what it is made "
        "of."
    ]
