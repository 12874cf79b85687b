from __future__ import annotations

import pytest
import torch

from evoray.errors import BackendError
from evoray.evaluation.units.batch_size import ROUNDS, TuneUnit, choose
from tests.unit.evaluation.kept.nets import Plain, worker


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({16: 2.0, 32: 1.5, 64: 1.0, 128: 1.2}, 64),
        ({16: 1.0, 32: 0.99, 64: 0.98}, 16),
        ({16: 1.0, 32: 0.99, 64: 0.9}, 64),
        ({256: 1.0}, 256),
    ],
)
def test_the_smallest_of_those_about_as_fast(seconds, chosen):
    assert choose(seconds) == chosen


def test_no_size_that_runs_is_an_error():
    with pytest.raises(BackendError, match="smaller"):
        choose({})


def test_sizes_are_timed_until_the_memory_runs_out(stand_in, monkeypatch):
    """The device is waited for after every pass, and what a size that was too large held is given back."""
    given_back = []
    monkeypatch.setattr(stand_in, "empty_cache", lambda: given_back.append(True))
    evaluator = worker(Plain, images=64)

    def outputs(network, batch):
        if batch.count > 32:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(evaluator.task, "outputs", outputs)
    assert TuneUnit("select", 0).run(evaluator)[0] in (16, 32)
    assert len(stand_in.did("synchronize_all")) == 2 * (ROUNDS + 1)
    assert given_back == [True]


def test_no_memory_for_any_size_is_said(stand_in, monkeypatch):
    evaluator = worker(Plain, images=64)

    def outputs(network, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(evaluator.task, "outputs", outputs)
    with pytest.raises(BackendError, match="no memory for the smallest batch"):
        TuneUnit("select", 0).run(evaluator)
