"""Paired differences of real runs against NumPy and SciPy by hand, from the predictions that each run wrote."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from evoray.errors import UsageError
from evoray.runs.pairing import Named, _same_truth, check_names, pair_all, why_not
from evoray.runs.run import load_run


def named(*folders):
    return [Named(one.name, load_run(str(one))) for one in folders]


def ensemble_nll(run):
    """By hand, from predictions.parquet."""
    table = run.predictions
    classes, probability = (np.array(table[name].to_pylist()) for name in ("classes", "probabilities"))
    label = np.array(table["label"].to_pylist())
    return -np.log(probability[classes == label[:, None]]), (classes[:, 0] == label)


def test_differences_are_those_computed_by_hand(made):
    a, b = named(made / "a", made / "b")
    (pair,) = pair_all([a, b])
    assert pair.reason == "" and pair.left_out == ()
    found = {(one.name, one.metric): one for one in pair.comparisons}
    (ours, right), (theirs, was_right) = ensemble_nll(b.run), ensemble_nll(a.run)
    nll, differences = found["ensemble", "nll"], ours - theirs
    half = stats.t.ppf(0.975, len(ours) - 1) * differences.std(ddof=1) / np.sqrt(len(ours))
    assert nll.difference == pytest.approx(differences.mean(), rel=1e-4)
    assert nll.ci95 == pytest.approx((differences.mean() - half, differences.mean() + half), rel=1e-4)
    assert nll.p_value == pytest.approx(stats.ttest_rel(ours, theirs).pvalue, rel=1e-3)
    won, lost = int((right & ~was_right).sum()), int((was_right & ~right).sum())
    top1 = found["ensemble", "top1"]
    assert top1.difference == pytest.approx((won - lost) / len(right))
    assert top1.p_value == pytest.approx(stats.binomtest(won, won + lost).pvalue if won + lost else 1.0)
    for name in ("best_child", "soup"):
        assert found[name, "nll"].difference == pytest.approx(b.run.summary[name]["nll"] - a.run.summary[name]["nll"])
    assert {one.against for one in pair.comparisons} == {"a"} and ("parent", "nll") not in found


def holm_by_hand(p_values):
    order = np.argsort(p_values, kind="stable")
    adjusted, highest = np.empty(len(order)), 0.0
    for step, at in enumerate(order):
        highest = max(highest, (len(order) - step) * p_values[at])
        adjusted[at] = min(highest, 1.0)
    return adjusted


def test_all_runs_are_one_family(made, tmp_path):
    from shutil import copytree

    copytree(made / "b", tmp_path / "c")
    pairs = pair_all(named(made / "a", made / "b", tmp_path / "c"))
    found = [one for pair in pairs for one in pair.comparisons]
    everywhere = holm_by_hand([one.p_value for one in found])
    first = [one for one in found if one.metric == "nll"]
    assert len(first) == 6 and len(found) == 12
    assert [one.p_adjusted for one in first] == pytest.approx(holm_by_hand([one.p_value for one in first]))
    beside = [at for at, one in enumerate(found) if one.metric != "nll"]
    assert [found[at].p_adjusted for at in beside] == pytest.approx(everywhere[beside])


def test_other_test_records_are_not_compared(made):
    a, other = named(made / "a", made / "other")
    (pair,) = pair_all([a, other])
    shared = len(set(a.records.index) & set(other.records.index))
    assert pair.comparisons == () and f"test records differ: 48 and 48 of the same dataset, {shared} of" in pair.reason


def changed(folder, name, change):
    path = folder / name
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def other_data(document):
    document["data"]["test"] = "0" * 64


def other_task(document):
    document["task"] = {"name": "text-classification"}


def other_keys(document):
    document["task"] = {"name": "image-classification", "normalise": "bytes"}


def other_fitness(document):
    document["fitness"] = "top1"


def other_costs(document):
    document["fitness"] = {"name": "nll", "costs": "costs.csv"}


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("journal/identity.json", other_data, r"of different datasets \(digests 000000000000…"),
        ("config.json", other_task, "tasks differ: 'text-classification' and 'image-classification'"),
        ("config.json", other_keys, r"task\.normalise differs"),
        ("config.json", other_costs, r"fitness\.costs differ"),
        ("summary.json", other_fitness, "fitness differs: 'top1' and 'nll'"),
    ],
)
def test_what_measures_something_else_is_not_compared(runs, name, change, reason):
    import re

    changed(runs / "b", name, change)
    (pair,) = pair_all(named(runs / "a", runs / "b"))
    assert pair.comparisons == () and re.search(reason, pair.reason)


def test_code_that_measures_has_to_be_the_same(runs):
    for folder, digest in (("a", "1"), ("b", "2")):
        changed(runs / folder, "config.json", lambda document: document.update(fitness={"name": "mine:auc"}))
        changed(runs / folder, "summary.json", lambda document: document.update(fitness="mine:auc"))
        changed(
            runs / folder,
            "journal/identity.json",
            lambda document, digest=digest: document.update(code={"mine": digest}),
        )
    assert "the code of mine differs" in why_not(*named(runs / "b", runs / "a"))


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ([0, 1, 2, 1], [0, 1, 2, 1], True),
        ([0, 1, 2, 1], [5, 3, 4, 3], True),  # other numbers for the same classes
        ([0, 1, 2, 1], [0, 1, 1, 1], False),
        ([0, 1, 1, 1], [0, 1, 2, 1], False),
        ([0.5, np.nan], [0.5, np.nan], True),
        ([0.5, 1.0], [0.5, 1.5], False),
        ([[0, 1]], [[1, 0]], False),
        ([0, 1], [0, 1, 1], False),
    ],
)
def test_whether_labels_say_the_same(ours, theirs, same):
    assert _same_truth(np.array(ours), np.array(theirs)) is same


@pytest.mark.parametrize(
    ("runs", "says"),
    [((), "two runs or more"), (("a",), "two runs or more"), (("a", "b", "a/"), "a/: named twice")],
)
def test_runs_are_two_and_different(runs, says):
    with pytest.raises(UsageError, match=says):
        check_names(runs)
