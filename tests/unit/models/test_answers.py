"""Forwards of every kind: what they give is taken, or it is said what to write instead."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from evoray.errors import ModelError
from evoray.models.answers import check_call, logits_of

IMAGES, CLASSES = 2, 3
LOGITS, FEATURES = torch.zeros(IMAGES, CLASSES), torch.zeros(IMAGES, 8, 7, 7)
Named = namedtuple("Named", "features scores")


@dataclass
class Answer:
    loss: object
    logits: torch.Tensor


class ModelOutput(OrderedDict):
    """As of the library that has it: a dictionary with attributes."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Plain:
    def __init__(self):
        self.scores = LOGITS


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_logits_of_any_floating_type_are_taken(dtype):
    answer = LOGITS.to(dtype)
    assert logits_of(answer, IMAGES, CLASSES) is answer
    assert logits_of(torch.zeros(IMAGES, 1000), IMAGES, CLASSES).shape == (IMAGES, 1000)


@pytest.mark.parametrize(
    ("answer", "expression"),
    [
        ((LOGITS, FEATURES), "self.net(x)[0]."),
        ((FEATURES, LOGITS), "self.net(x)[1]."),
        ([LOGITS], "self.net(x)[0]."),
        (((FEATURES, LOGITS), None), "self.net(x)[0][1]."),
        ({"logits": LOGITS}, 'self.net(x)["logits"].'),
        ({"aux": LOGITS, "logits": LOGITS}, 'self.net(x)["logits"]. ["aux"] would fit too'),
        ({"out": LOGITS, "features": FEATURES}, 'self.net(x)["out"].'),
        ({0: LOGITS}, "self.net(x)[0]."),
        (Answer(None, LOGITS), "self.net(x).logits."),
        (ModelOutput(loss=None, logits=LOGITS), "self.net(x).logits."),
        (Named(FEATURES, LOGITS), "self.net(x).scores."),
        (Plain(), "self.net(x).scores."),
        (torch.return_types.max((LOGITS, LOGITS.long())), "self.net(x)[0]."),
        ((), "There are none in it"),
        ({"boxes": FEATURES}, '["boxes"] is [2, 8, 7, 7]'),
        ("cat", "returned a str"),
        (None, "ends without a return"),
        ((one for one in [LOGITS]), "say return"),
        (LOGITS.numpy(), "Return the tensor that this is made of"),
        (np.float32(0), "Return the tensor that this is made of"),
    ],
)
def test_what_holds_logits_is_told_how_they_are_taken_out_of_it(answer, expression):
    with pytest.raises(ModelError) as raised:
        logits_of(answer, IMAGES, CLASSES)
    assert expression in str(raised.value)
    assert "logits [images, classes]" in str(raised.value) and len(str(raised.value)) < 450


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((2, 3, 1, 1), "self.net(x).flatten(1)"),
        ((2, 1, 3), "self.net(x).flatten(1)"),
        ((2, 3, 7, 7), "self.net(x).mean((2, 3))"),
        ((2, 5, 3), "self.net(x)[:, 0]"),
        ((3, 2), "self.net(x).T"),
        ((2,), "Return a score for every class"),
        ((3,), "Keep the images' dimension first"),
        ((1, 3), "Keep the images' dimension first"),
        ((), "Keep the images' dimension first"),
        ((2, 2), "2 outputs, the data 3 classes"),
    ],
)
def test_another_shape_is_told_what_makes_logits_of_it(shape, remedy):
    with pytest.raises(ModelError) as raised:
        logits_of(torch.zeros(shape), IMAGES, CLASSES)
    assert remedy in str(raised.value)


@pytest.mark.parametrize(("shape", "remedy"), [((2,), "torch.stack"), ((2, 1), "torch.cat")])
def test_a_single_logit_of_two_classes(shape, remedy):
    z = torch.tensor([1.0, -2.0]).reshape(shape)
    with pytest.raises(ModelError) as raised:
        logits_of(z, 2, 2)
    made = str(raised.value).rpartition(remedy)[2].rstrip(".")
    two = eval(remedy + made, {"torch": torch, "z": z})
    assert torch.allclose(two.softmax(1)[:, 1], torch.sigmoid(z.reshape(2)))


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_numbers_that_are_no_logits(dtype):
    with pytest.raises(ModelError, match="before argmax"):
        logits_of(LOGITS.to(dtype), IMAGES, CLASSES)


def test_a_sparse_tensor():
    with pytest.raises(ModelError, match=r"to_dense\(\)"):
        logits_of(LOGITS.to_sparse(), IMAGES, CLASSES)


def of(forward):
    return type("Net", (nn.Module,), {"forward": forward})()


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, x: x,
        lambda self, x, mask=None: x,
        lambda self, *args, **more: args,
        lambda self, pixel_values=None, labels=None: pixel_values,
        lambda self, x, **more: x,
    ],
)
def test_a_forward_of_images_alone_is_fine(forward):
    check_call(of(forward))


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda self, x, labels: x, r"takes x, labels, .*return self\.net\(x, …\)"),
        (lambda self, *, pixel_values: pixel_values, r"takes pixel_values, .*return self\.net\(pixel_values=x\)"),
        (lambda self, x, *, mask, y=1: x, r"takes x, mask, .*self\.net\(x, …\)"),
        (lambda self: None, r"takes nothing"),
        (lambda self, a, b, c, **more: None, r"takes a, b, c, "),
    ],
)
def test_another_forward_is_told_how_it_is_wrapped(forward, words):
    with pytest.raises(ModelError, match=words):
        check_call(of(forward))


def test_no_forward_at_all():
    with pytest.raises(ModelError, match="has no forward"):
        check_call(nn.Module())


def test_a_forward_of_the_instance_and_one_of_the_librarys():
    model = nn.Module()
    model.forward = lambda x: x
    check_call(model)
    check_call(nn.Sequential(nn.Linear(2, 2)))
