from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch

from evoray.data.records import Records
from evoray.data.shard import Shard
from evoray.errors import DataError, ModelError
from evoray.tasks.base import Batch, Preparation
from evoray.tasks.inputs import (
    answer_of,
    filled,
    flat,
    input_batch,
    input_bytes,
    input_column,
    tensor_of,
    two_classes,
)

CPU = torch.device("cpu")


class Two(NamedTuple):
    hidden: torch.Tensor
    logits: torch.Tensor


class Other(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


X, Z = torch.ones(2, 3), torch.zeros(2, 3)
ANSWERS = {
    "a tensor": X,
    "a tuple": (X, Z),
    "a list of one": [X],
    "a dictionary": {"aux": Z, "out": X},
    "of one": {"x": X},
    "an object": SimpleNamespace(loss=None, logits=X, hidden=Z),
    "logits first": {"out": Z, "logits": X},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_part_that_is_meant(name):
    assert tensor_of(ANSWERS[name]) is X


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "returns a NoneType"),
        ({"a": X, "b": Z}, "returns a dict with a, b, in which no part is known as its answer"),
        ((None, X), "returns a tuple"),
        ([], "returns a list"),
        (3.0, "returns a float"),
        (np.ones(3), "returns a ndarray"),
        (SimpleNamespace(a=1), "returns a SimpleNamespace with a"),
        ({}, "returns a dict"),
    ],
)
def test_no_part_is_guessed(answer, says):
    with pytest.raises(ModelError, match=f"{says}.*Wrap it in a module whose forward returns that one tensor"):
        tensor_of(answer)


def test_named_tuples_are_taken_by_name_and_else_by_place():
    assert tensor_of(Two(Z, X)) is X
    assert tensor_of(Other(X, Z)) is X


@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 1), (4, 2, 2)])
def test_an_answer_has_a_row_a_record(shape):
    assert answer_of(lambda x: torch.ones(shape), Batch(torch.ones(4, 5), 4)).shape == shape


@pytest.mark.parametrize(("shape", "found"), [((), (1,)), ((3,), (1, 3)), ((2, 2), (1, 2, 2)), ((1, 3), (1, 3))])
def test_what_squeeze_takes_from_one_record_is_put_back(shape, found):
    assert answer_of(lambda x: torch.ones(shape), Batch(torch.ones(1, 5), 1)).shape == found


@pytest.mark.parametrize("shape", [(), (1, 3), (3, 4), (5,)])
def test_another_number_of_rows_is_refused(shape):
    with pytest.raises(ModelError, match="for 4 records: the first side of its answer has to be theirs"):
        answer_of(lambda x: torch.ones(shape), Batch(torch.ones(4, 5), 4))


@pytest.mark.parametrize(
    ("outputs", "targets", "values"),
    [((4,), (4, 1), 1), ((4, 1), (4,), 1), ((4, 6), (4, 2, 3), 6), ((4, 1, 3), (4, 3), 3), ((4, 2, 3), (4, 2, 3), 6)],
)
def test_n_by_one_is_n_and_a_row_is_a_shape(outputs, targets, values):
    found, wanted = flat(torch.ones(outputs), torch.ones(targets, dtype=torch.uint8), "the target")
    assert found.shape == wanted.shape == (4, values) and found.dtype == wanted.dtype == torch.float64


@pytest.mark.parametrize(
    ("outputs", "targets", "says"),
    [
        ((4, 3), (4, 1), "gives 3 values a record, and the target 1. Its last layer"),
        ((4,), (4, 4), "gives 1 values a record, and the target 4"),
        ((4, 3, 2), (4, 2, 3), r"gives \[3, 2\] a record, and the target \[2, 3\]: which value is which"),
    ],
)
def test_other_values_are_never_spread_over_the_target(outputs, targets, says):
    with pytest.raises(ModelError, match=says):
        flat(torch.ones(outputs), torch.ones(targets), "the target")


def records(**columns):
    return Records(0, columns, ["x"] * 3)


@pytest.mark.parametrize(("kind", "given"), [("float32", torch.bfloat16), ("int64", torch.int64)])
def test_numbers_come_in_the_networks_type_and_whole_ones_stay(kind, given):
    shard = records(input=np.arange(6).reshape(3, 2).astype(kind))
    batch = input_batch(shard, np.array([2, 0]), Preparation(CPU, torch.bfloat16, False, width=4))
    assert (batch.count, batch.inputs.dtype) == (2, given)
    assert batch.inputs.tolist() == [[4, 5], [0, 1], [0, 0], [0, 0]]
    assert input_bytes(shard, 4, Preparation(CPU, torch.float32, False)) == 4 * 2 * 4


def test_images_are_normalised_wherever_they_are_from():
    images = np.random.default_rng(0).integers(256, size=(3, 1, 2, 2), dtype=np.uint8)
    how = Preparation(CPU, torch.float32, True, (0.5,), (0.25,))
    batches = [
        input_batch(shard, np.array([1]), how).inputs
        for shard in (records(image=images), Shard(0, images, np.zeros(3, np.int64), ["x"] * 3))
    ]
    assert torch.equal(*batches)
    assert batches[0].flatten().tolist() == pytest.approx(((images[1] / 255 - 0.5) / 0.25).flatten().tolist())


def test_records_without_anything_to_show():
    with pytest.raises(DataError, match="neither an image nor an input"):
        input_column(records(target=np.zeros(3)))


def test_batches_of_one_shape_are_filled_up_with_zeros():
    values = np.arange(6).reshape(3, 2)
    assert filled(values, np.array([1]), None).tolist() == [[2, 3]]
    assert filled(values, np.array([1]), 2).tolist() == [[2, 3], [0, 0]]


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_one_output_is_the_log_odds_of_class_1(shape):
    odds = torch.tensor([-1.0, 0.0, 2.0])
    found = two_classes(odds.reshape(shape), torch.zeros(3, 5))
    assert torch.equal(found.softmax(1)[:, 1], odds.sigmoid()) and found.argmax(1).tolist() == [0, 0, 1]


@pytest.mark.parametrize("answer", [torch.ones(3, 2), torch.ones(3, 1, 1, 1), torch.ones(5), None, (torch.ones(3),)])
def test_more_outputs_are_handed_on(answer):
    assert two_classes(answer, {"input_ids": torch.zeros(3, 7)}) is answer
