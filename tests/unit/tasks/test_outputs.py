"""Outputs of batches are put together, whether they are a tensor or a named tuple of tensors."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

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
