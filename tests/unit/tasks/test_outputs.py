"""Outputs of batches are put together, whether they are a tensor or a named tuple of tensors."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from evoray.tasks.base import Batch
from evoray.tasks.outputs import first_of, put, room_for, some_of, tensors_of


class Boxes(NamedTuple):
    score: Tensor
    label: Tensor


def boxes(start, count):
    rows = torch.arange(start, start + count)
    return Boxes(rows[:, None].to(torch.bfloat16), rows)


def test_batches_become_one():
    whole = room_for(boxes(0, 4), 6)
    put(whole, boxes(0, 4), 0, 4)
    put(whole, boxes(4, 4), 4, 2)  # two of them fill the batch up
    assert isinstance(whole, Boxes)
    assert (whole.score.dtype, whole.label.dtype) == (torch.float32, torch.int64)
    assert whole.score[:, 0].tolist() == whole.label.tolist() == list(range(6))
    assert some_of(whole, torch.tensor([1, 5])).label.tolist() == [1, 5]
    assert [len(one) for one in tensors_of(first_of(whole, 3))] == [3, 3]


def test_a_tensor_is_handed_on_as_it_is():
    assert room_for(torch.zeros(2, 3), 5).shape == (5, 3)
    assert some_of(torch.eye(3), torch.tensor([2])).tolist() == [[0, 0, 1]]


@pytest.mark.parametrize(
    "form",
    [
        lambda rows: rows,
        lambda rows: {"image": rows, "mask": rows * 2},
        lambda rows: {"image": rows, "more": [rows, (rows, {"deep": rows})], "epsilon": 0.5, "none": None},
        lambda rows: boxes(0, len(rows)),
        lambda rows: [rows, torch.tensor(3.0)],
    ],
)
def test_what_fills_a_batch_up_goes_whatever_form_its_inputs_have(form):
    found = Batch(form(torch.arange(12.0).reshape(6, 2)), 4).unfilled()
    leaves, expected = (tree_flatten(one) for one in (found.inputs, form(torch.arange(8.0).reshape(4, 2))))
    assert (found.count, leaves[1]) == (4, expected[1])
    for one, other in zip(leaves[0], expected[0], strict=True):
        assert torch.equal(one, other) if isinstance(one, Tensor) else one == other
