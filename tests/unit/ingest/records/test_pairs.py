from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset, TensorDataset

from evoray.errors import DataError
from evoray.ingest.records.gather import pairs_of

X, Y = torch.arange(12, dtype=torch.float32).reshape(4, 3), torch.tensor([0.5, 1.5, 2.5, 3.5])


@pytest.mark.parametrize(
    "dataset",
    [
        TensorDataset(X, Y),
        TensorDataset(X.bfloat16(), Y[:, None].double()),
        TensorDataset(X.clone().requires_grad_(True), Y),
        Subset(TensorDataset(X.flip(0), Y.flip(0)), [3, 2, 1, 0]),
        [(x.numpy(), float(y)) for x, y in zip(X, Y, strict=True)],
        [[x.tolist(), y.item()] for x, y in zip(X, Y, strict=True)],
    ],
)
def test_whatever_holds_numbers(dataset):
    inputs, targets = pairs_of(dataset)
    assert inputs.tolist() == X.tolist() and targets.tolist() == [[0.5], [1.5], [2.5], [3.5]]


def test_shapes_and_types_stay():
    inputs, targets = pairs_of(TensorDataset(torch.zeros(2, 3, 4, 5, dtype=torch.int64), torch.ones(2, 2, 2)))
    assert (inputs.shape, inputs.dtype, targets.shape) == ((2, 3, 4, 5), np.int64, (2, 2, 2))


class Raises(list):
    def __getitem__(self, index):
        raise RuntimeError("no \x1b[2J such file")


GOOD = (torch.ones(2), 1.0)
BAD = {
    "no length": (iter([GOOD]), "has no length"),
    "nothing": ([], "is empty"),
    "raises": (Raises([1]), r"record 0: raised RuntimeError: no \\x1b"),
    "a dictionary": ([{"x": 1, "y": 2}], "record 0: a dictionary of x, y. Give"),
    "a tensor": (torch.ones(3, 2), "record 0: a Tensor, and no pair"),
    "three": ([(1.0, 2.0, 3.0)], "a tuple of 3, and no pair"),
    "one": (TensorDataset(X), "a tuple of 1, and no pair"),
    "another shape": ([GOOD, (torch.ones(3), 1.0)], r"record 1: its input is \[3\], the first one's \[2\]"),
    "another target": ([GOOD, (torch.ones(2), [1.0, 2.0])], r"record 1: its target is \[2\], the first one's \[\]"),
    "NaN": ([GOOD, (torch.tensor([1.0, float("nan")]), 1.0)], "record 1: its input holds NaN"),
    "infinite": ([GOOD, (torch.ones(2), float("inf"))], "record 1: its target holds NaN or infinity"),
    "a word": ([("x", 1.0)], "its input is x, a str and no array of numbers"),
    "none": ([(torch.ones(2), None)], "its target is None, a NoneType"),
    "complex": ([(torch.ones(2, dtype=torch.complex64), 1.0)], "no array of numbers"),
    "a picture": ([(Image.new("L", (2, 2)), 1.0)], "is a picture .*ToTensor"),
    "uneven": ([([[1], [1, 2]], 1.0)], "no array of numbers"),
    "no value": ([(torch.ones(0), 1.0)], r"is empty, \[0\]"),
    "sparse": ([(torch.eye(2).to_sparse(), 1.0)], "no array of numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_pair_of_numbers_is_named(name):
    dataset, says = BAD[name]
    with pytest.raises(DataError, match=says):
        pairs_of(dataset)
