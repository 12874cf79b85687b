"""Language modelling: bits over bytes and nats over tokens, of all texts together."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tiny_language
import torch

from evoray.data.records import Ragged, Records
from evoray.tasks.base import Preparation
from evoray.tasks.registry import make_task

HOW = Preparation(torch.device("cpu"), torch.float32, False)


def test_figures_of_a_network():
    lists = [[2, 5, 6, 7, 9], [2, 4], [2, 11, 12]]
    records = Records(0, {"input_ids": Ragged.of(lists, "int32"), "bytes": np.array([20, 3, 9])}, ["a", "b", "c"])
    task, network, rows = make_task("language-modelling"), tiny_language.network("gpt2"), np.arange(3)
    with torch.inference_mode():
        outputs = task.outputs(network, task.batch(records, rows, HOW))
        losses = [float(network(input_ids=torch.tensor([one]), labels=torch.tensor([one])).loss) for one in lists]
    targets = task.targets(records, rows, HOW.device)
    assert targets.tolist() == [[20, 4], [3, 1], [9, 2]]
    spent = sum(loss * (len(one) - 1) for loss, one in zip(losses, lists, strict=True))
    figures = task.figures(dict(zip(task.columns, task.sums(outputs, targets), strict=True)))
    assert figures["bits_per_byte"].value == pytest.approx(spent / math.log(2) / 32, rel=1e-5)
    assert figures["nats_per_token"].value == pytest.approx(spent / 7, rel=1e-5)


def test_a_record_that_is_not_finite_is_counted():
    task = make_task("language-modelling")
    sums = dict(zip(task.columns, task.sums(torch.tensor([[1.0], [math.nan]]), torch.ones(2, 2)), strict=True))
    assert sums["invalid"] == 1 and math.isnan(sums["nats"]) and sums["n"] == 2
