"""What a task gives, as a graph takes it: right, or refused with what it takes."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_onnx
import torch
from onnx import TensorProto, helper

from evoray.errors import ModelError
from evoray.models.onnx.feeds import Feeds, Wanted, feeds_of
from evoray.models.onnx.file import apart, graph_of

IDS = torch.tensor([[2, 5, 7, 3], [2, 9, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
TEXT = {"input_ids": IDS, "attention_mask": MASK}


def of(made):
    return feeds_of(graph_of(apart(made)["onnx.graph"]).graph)


def wanting(*wanted, dynamic=False):
    return Feeds(tuple(Wanted(*one) for one in wanted), dynamic)


def tokens(*names, length=None):
    return wanting(*((name, torch.int64, (None, length)) for name in names))


def fed(feeds, *inputs, **named):
    return [(given, count) for given, count in feeds.passes(inputs, named)]


def test_weights_are_no_inputs():
    assert [one.name for one in of(tiny_onnx.images()).wanted] == ["image"]
    assert of(tiny_onnx.images()).records is None and of(tiny_onnx.images(rows=8)).records == 8
    assert of(tiny_onnx.dynamic()).records == 1


@pytest.mark.parametrize("rows", [1, 3, 4, 9])
@pytest.mark.parametrize("fixed", [1, 4])
def test_a_graph_of_so_many_records_is_run_in_pieces(rows, fixed):
    images = torch.arange(rows * 4.0).reshape(rows, 1, 2, 2)
    found = fed(wanting(("image", torch.float32, (fixed, 1, 2, 2))), images)
    assert all(len(given["image"]) == fixed for given, _ in found)
    assert torch.equal(torch.cat([given["image"][:count] for given, count in found]), images)


def test_images_go_in_with_their_channels_behind():
    images = torch.rand(2, 3, 4, 5)
    ((given, _),) = fed(wanting(("image", torch.float32, (None, 4, 5, 3))), images)
    assert torch.equal(given["image"], images.permute(0, 2, 3, 1)) and given["image"].is_contiguous()
    ((given, _),) = fed(wanting(("image", torch.float32, (None, 3, None, None))), images)
    assert torch.equal(given["image"], images)


def test_images_go_in_as_whole_numbers():
    whole = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    ((given, _),) = fed(wanting(("image", torch.uint8, (None, 1, 16, 16))), whole.float() / 255)
    assert given["image"].dtype == torch.uint8 and torch.equal(given["image"], whole)


@pytest.mark.parametrize("kind", [torch.float16, torch.float64])
def test_numbers_are_cast(kind):
    ((given, _),) = fed(wanting(("x", kind, (None, 2))), torch.ones(3, 2))
    assert given["x"].dtype == kind
    ((given, _),) = fed(wanting(("x", torch.int32, (None, 2))), torch.ones(3, 2, dtype=torch.int64))
    assert given["x"].dtype == torch.int32


def test_texts_by_name():
    ((given, count),) = fed(tokens("attention_mask", "input_ids"), **TEXT)
    assert count == 2 and torch.equal(given["input_ids"], IDS) and torch.equal(given["attention_mask"], MASK)
    ((given, _),) = fed(tokens("input_ids", "attention_mask", "token_type_ids"), **TEXT)
    assert not given["token_type_ids"].any()
    ((given, _),) = fed(tokens("ids"), input_ids=IDS, attention_mask=torch.ones_like(MASK))
    assert torch.equal(given["ids"], IDS)


@pytest.mark.parametrize("feeds", [tokens("input_ids"), tokens("ids")])
def test_texts_of_a_graph_without_a_mask_are_run_without_padding(feeds):
    found = fed(feeds, **TEXT)
    assert [next(iter(given.values())).tolist() for given, _ in found] == [[[2, 5, 7, 3]], [[2, 9, 3]]]


def test_texts_of_one_length_are_filled_up():
    ((given, _),) = fed(tokens("input_ids", "attention_mask", length=6), **TEXT)
    assert given["input_ids"].shape == (2, 6) and given["attention_mask"].sum() == MASK.sum()


@pytest.mark.parametrize(
    ("feeds", "inputs", "named", "said"),
    [
        (tokens("input_ids", length=3), (), {"input_ids": IDS}, r"takes input_ids int64 \[\?, 3\].*gives \[2, 4\]"),
        (wanting(("image", torch.float32, (None, 3, 8, 8))), (torch.rand(2, 3, 4, 4),), {}, r"--resize, --crop"),
        (wanting(("image", torch.float32, (None, 3))), (torch.rand(2, 3, 4, 4),), {}, r"takes image float32 \[\?, 3\]"),
        (wanting(("x", torch.int64, (None, 3))), (torch.rand(2, 3),), {}, "gives floating numbers"),
        (wanting(("x", torch.float32, (None,)), ("state", torch.float32, (2,))), (torch.rand(2),), {}, "state float32"),
        (tokens("input_ids", "position_ids"), (), TEXT, "position_ids.*gives input_ids, attention_mask"),
        (tokens("input_ids", "attention_mask"), (), {**TEXT, "token_type_ids": MASK}, "tells two texts apart"),
        (tokens("input_ids"), (), {}, "gives nothing"),
    ],
)
def test_what_a_graph_does_not_take_is_refused(feeds, inputs, named, said):
    with pytest.raises(ModelError, match=said):
        fed(feeds, *inputs, **named)


def test_words_are_no_input():
    nodes = [helper.make_node("Identity", ["text"], ["y"])]
    made = tiny_onnx.model_of(
        nodes, [("text", TensorProto.STRING, ["n"])], [("y", TensorProto.STRING, ["n"])], {"w": np.ones(2, np.float32)}
    )
    with pytest.raises(ModelError, match="takes text, which is no tensor of numbers"):
        of(made)
