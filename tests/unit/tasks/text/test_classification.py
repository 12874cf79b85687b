"""Text classification: the figures of image classification, of what a network says of texts."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_language
import torch

from evoray.data.records import Ragged, Records
from evoray.errors import ModelError
from evoray.tasks.base import Preparation
from evoray.tasks.registry import make_task

HOW = Preparation(torch.device("cpu"), torch.float32, False)


@pytest.fixture
def records():
    lists = [np.arange(4, 6 + row) for row in range(5)]
    columns = {"input_ids": Ragged.of(lists, "int32"), "label": np.array([0, 1, 1, 0, 1])}
    return Records(0, columns, [str(row) for row in range(5)])


def test_figures_are_those_of_the_logits(records):
    task, network = make_task("text-classification"), tiny_language.network()
    rows = np.array([0, 2, 4])
    batch = task.batch(records, rows, HOW)
    with torch.inference_mode():
        outputs = task.outputs(network, batch)
        assert torch.equal(outputs, network(**batch.inputs).logits)
    targets = task.targets(records, rows, HOW.device)
    assert targets.tolist() == [0, 1, 1]
    expected = torch.nn.functional.cross_entropy(outputs.double(), targets).item()
    total = dict(zip(task.columns, task.sums(outputs, targets), strict=True))
    assert task.figures(total)["nll"].value == pytest.approx(expected)
    assert task.measures["nll"].unit == "nats per text"


@pytest.mark.parametrize(
    "answer", [lambda x: x, lambda x: (x, None), lambda x: {"logits": x}, lambda x: {"hidden": x[:, :1], "logits": x}]
)
def test_networks_answer_in_several_ways(records, answer):
    task, logits = make_task("text-classification"), torch.randn(5, 2)
    found = task.outputs(lambda input_ids, attention_mask: answer(logits), task.batch(records, np.arange(5), HOW))
    assert torch.equal(found, logits)


def test_an_answer_that_is_none(records):
    task = make_task("text-classification")
    with pytest.raises(ModelError, match="no part is known as its answer"):
        task.outputs(lambda **inputs: {"a": 1, "b": 2}, task.batch(records, np.arange(5), HOW))
