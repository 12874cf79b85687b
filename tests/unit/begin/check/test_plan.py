from __future__ import annotations

import json

import pytest

from evoray.begin.check import plan as module
from evoray.begin.check.pace import Pace
from evoray.begin.check.plan import assumed, child_of, plan_of
from evoray.begin.check.words import rows_of
from evoray.begin.cluster import Cluster
from evoray.config import parse_config
from evoray.search.inputs import check_inputs

RUN = {
    "parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"},
    "data": {"path": "mnist5k", "select": 0.02, "test": 0.01},
    "compute": {"backend": "local", "workers": 2},
    "search": {"children": 4},
    "ensemble": {"size": 2},
}


@pytest.fixture(scope="module")
def inputs():
    return check_inputs(parse_config(RUN), None)


@pytest.fixture
def paced(monkeypatch):
    """A machine of four cores, on which a record takes a second and a child ten."""
    monkeypatch.setattr(module, "measured", lambda inputs, config: Pace(10.0, 1.0, "cpu", 100, 200, 300))
    monkeypatch.setattr(module, "usable_cores", lambda: 4)


def test_time_and_money_follow_from_pace_workers_and_nodes(inputs, paced):
    cluster = Cluster("a", ({"CPU": 8.0}, {"CPU": 8.0}))
    found = plan_of(inputs, cluster, 3.6)
    one = 10.0 * found.evaluations + found.passes
    here, there = found.places
    assert (here.workers, here.seconds, there.workers) == (2, one / 2, 2)
    assert here.money == pytest.approx(one / 2 / 1000) and there.money == pytest.approx(2 * one / 2 / 1000)


def test_without_a_price_there_is_no_money_and_a_silent_cluster_is_told(inputs, paced):
    here, there = plan_of(inputs, Cluster("a", error="does not answer"), None).places
    assert here.money is None and there.seconds is None and there.unknown == "does not answer"
    (*_, there) = plan_of(inputs, Cluster("a", ({"CPU": 0.5},)), None).places
    assert there.unknown == "no node can hold one worker"


def test_what_cannot_be_measured_is_said(inputs, monkeypatch):
    def broken(inputs, config):
        raise ValueError("odd")

    monkeypatch.setattr(module, "measured", broken)
    found = plan_of(inputs, None, None)
    assert found.pace is None and "odd" in found.unmeasured
    assert "odd" in dict(rows_of(found, None))["time"]


def test_a_plan_is_a_document(inputs, paced):
    found = json.loads(json.dumps(plan_of(inputs, None, 1.0).to_dict()))
    assert found["task"] == "image-classification" and found["fitness"] == "nll"
    assert sum(found["data"]["select_classes"].values()) == found["data"]["select"]["images"]
    assert set(found["data"]["test"]) == {"images"}  # its labels are not looked at before a search is over
    assert found["memory_bytes_per_worker"] > 600 and found["passes"] > found["evaluations"]
    assert found["classes"]["assumed"] is False


def test_a_child_is_told_by_its_weights(inputs):
    child = child_of(inputs)
    assert (child["weights"], child["of"], child["density"]) == (round(inputs.space.n / 10), inputs.space.n, 0.1)
    assert not assumed(inputs)


def test_labels_of_large_data_are_not_counted(inputs, monkeypatch):
    assert sum(module.class_counts(inputs).values()) == inputs.splits.images("select")
    monkeypatch.setattr(module, "COUNTED", 1000)
    assert module.class_counts(inputs) == {}
