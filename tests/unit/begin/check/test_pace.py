from __future__ import annotations

import pytest
from torch import nn, ones

from evoray.begin.check.pace import PROCESS, Pace, _fitted, _largest, measured
from evoray.config import parse_config
from evoray.config.resolve import Facts, resolve
from evoray.search.inputs import check_inputs


class Clock:
    """Children that take a second, and a tenth for each record; the first of each size takes three times that."""

    def __init__(self, record=0.001, child=0.01):
        self.met, self.record, self.child = set(), record, child

    def seconds(self, rows):
        first = rows not in self.met
        self.met.add(rows)
        return (self.child + rows * self.record) * (3 if first else 1)


def test_a_pace_is_a_child_and_its_records():
    clock = Clock()
    child, record = _fitted(clock, clock.seconds(4), 4, 1000, 256)
    assert (child, record) == (pytest.approx(0.01), pytest.approx(0.001))


def test_few_records_give_one_number():
    clock = Clock()
    assert _fitted(clock, clock.seconds(4), 4, 5, 256) == (0.0, pytest.approx(0.0035))


def test_a_slow_network_is_not_asked_again():
    clock = Clock(record=1.0)
    assert _fitted(clock, clock.seconds(4), 4, 1000, 256) == (0.0, pytest.approx(3 * 4.01 / 4))


def test_a_worker_takes_evaluations_and_passes():
    pace = Pace(2.0, 0.5, "cpu", 1, 2, 3)
    assert pace.seconds(3, 10) == 11.0 and pace.bytes == PROCESS + 6


def test_layers_tell_what_they_hold():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with _largest(net) as found:
        net(ones(5, 2))
    assert found == [4 * 5 * (2 + 3), 4 * 5 * (3 + 3)]
    net(ones(5, 2))
    assert len(found) == 2  # nothing is left on the network


def test_the_runs_own_children_are_measured():
    values = {
        "parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"},
        "data": {"path": "mnist5k", "select": 0.01, "test": 0.01},
    }
    inputs = check_inputs(parse_config(values), None)
    found = measured(inputs, resolve(inputs.config, Facts(False)))
    assert 0 < found.record < 1 and found.device == "cpu"
    assert found.network >= 12 * inputs.space.n and found.activations > 0
    assert found.records == inputs.splits.images("select") * 28 * 28 * 4
