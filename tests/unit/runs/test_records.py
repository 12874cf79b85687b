from __future__ import annotations

import shutil

import numpy as np
import pytest

from evoray.errors import UsageError
from evoray.runs.records import _compared, _each_name, records_of
from evoray.runs.run import load_run


def test_every_network_has_its_scores(made):
    run = load_run(str(made / "a"))
    found = records_of(run)
    assert found.source == "journal" and list(found.scores) == ["parent", "best_child", "soup", "ensemble"]
    assert found.index.tolist() == run.predictions["index"].to_pylist()
    for name, scores in found.scores.items():
        reported = run.summary["parent"]["test"] if name == "parent" else run.summary[name]
        assert {"nll", "top1"} <= scores.keys()
        for figure, values in scores.items():
            assert np.mean(values) == pytest.approx(reported[figure], rel=1e-9)


def test_without_a_journal_the_ensemble_is_known_from_its_predictions(runs, made):
    shutil.rmtree(runs / "a" / "journal")
    (runs / "a" / "journal").mkdir()
    shutil.copy(made / "a" / "journal" / "identity.json", runs / "a" / "journal")
    before, after = records_of(load_run(str(made / "a"))), records_of(load_run(str(runs / "a")))
    assert after.source == "predictions.parquet" and list(after.scores) == ["ensemble"]
    for figure in ("nll", "top1"):
        np.testing.assert_allclose(after.scores["ensemble"][figure], before.scores["ensemble"][figure], rtol=1e-5)


def test_a_damaged_segment_is_as_good_as_none(runs):
    for one in (runs / "a" / "journal").glob("*.arrow"):
        one.write_bytes(one.read_bytes()[:-9])
    assert records_of(load_run(str(runs / "a"))).source == "predictions.parquet"


def test_a_score_whose_mean_is_not_what_was_reported_is_left_out(runs):
    run = load_run(str(runs / "a"))
    run.summary["soup"]["nll"] += 0.01
    run.summary["soup"]["top1"] = None
    found = records_of(run)
    assert not {"nll", "top1"} & found.scores["soup"].keys() and "nll" in found.scores["ensemble"]


def test_a_run_that_kept_nothing_is_refused(finished):
    finished.write_json("journal/identity.json", {"run_id": "a", "parent": "p", "space": "s", "data": {"test": "d"}})
    with pytest.raises(UsageError, match=r"predictions\.parquet"):
        records_of(load_run(finished.location))
    finished.write_json("journal/identity.json", {"run_id": "a", "parent": "p", "space": "s", "data": {}})
    with pytest.raises(UsageError, match="did not record which dataset"):
        records_of(load_run(finished.location))


@pytest.mark.parametrize(
    ("networks", "calibrated", "rows"),
    [
        (["parent", "best_child", "soup"], False, ["parent", "best_child", "soup"]),
        (["parent", "soup", "ensemble"], False, ["parent", "soup", "ensemble"]),
        (
            ["parent", "best_child", "soup", "soup_recalibrated", "ensemble"],
            True,
            [
                *("parent", "best_child", "soup", "soup_recalibrated"),
                *("parent_calibrated", "ensemble", "ensemble_uncalibrated"),
            ],
        ),
    ],
)
def test_rows_are_those_of_the_final_test(networks, calibrated, rows):
    from evoray.ensembles import Member
    from evoray.evaluation.units.ensemble import PanelUnit
    from evoray.mutation import Lineage

    assert list(_each_name(networks, calibrated)) == rows
    named = tuple((name, Lineage()) for name in networks if name != "ensemble")
    members = (Member("m", Lineage(), 1.0),) if "ensemble" in networks else ()
    at = (("parent", 1.0), ("ensemble", 1.0)) if calibrated else ()
    assert PanelUnit(Lineage(), named, members, "test", 0, temperatures=at).names == tuple(rows)


@pytest.mark.parametrize(
    ("task", "kept", "scores"),
    [
        (
            "image-classification",
            {"nll": [0.5, 2.0], "rank": [0, 7], "confidence": [0.6, 0.4], "brier": [0.3, 1.2]},
            {"nll": [0.5, 2.0], "top1": [1, 0], "top5": [1, 0], "brier": [0.3, 1.2]},
        ),
        ("regression", {"mse": [1.0, 4.0], "mae": [1.0, 2.0]}, {"mse": [1.0, 4.0], "mae": [1.0, 2.0]}),
        (
            "language-modelling",
            {"nats": [np.log(2), 0.0], "bytes": [3, 4], "tokens": [1, 2]},
            {"bits_per_text": [1, 0]},
        ),
        ("generation", {"reward": [0.5, 1.0], "answer": [[1, 2], [3, 4]]}, {"reward": [0.5, 1.0]}),
        ("theirs:Task", {"score": [1.0, 2.0], "words": ["a", "b"]}, {"score": [1.0, 2.0]}),
    ],
)
def test_scores_are_those_that_the_task_compares(task, kept, scores):
    found = _compared(task, {name: np.array(values) for name, values in kept.items()})
    assert {name: found[name].tolist() for name in scores} == scores
    assert not {"answer", "words"} & found.keys()


def test_a_run_stopped_between_journal_and_summary_lacks_shards(runs):
    run = load_run(str(runs / "a"))
    run.summary["splits"]["test"] += 1
    assert records_of(run).source == "predictions.parquet"
