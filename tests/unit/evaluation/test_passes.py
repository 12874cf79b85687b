"""Batches of one image, and how outputs are compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evoray.data.shard import Shard
from evoray.evaluation.passes import Passes, close, distance, equal, in_a_thread, sample_of, smaller, with_negative
from evoray.tasks.registry import make_task

NAN = float("nan")


def records(images):
    return Shard(0, images, np.zeros(len(images), dtype=np.int64), ["x"] * len(images))


@pytest.fixture
def sample():
    images = np.zeros((4, 3, 5, 5), dtype=np.uint8)
    images[2] = np.random.default_rng(0).integers(256, size=(3, 5, 5))
    return sample_of(make_task("image-classification"), records(images), np.arange(4), (0.5,), (0.25,), torch.float32)


def test_the_image_of_most_contrast_is_in_every_batch(sample):
    assert torch.equal(sample.twice[0], sample.twice[1]) and sample.twice[0].std() > 0
    assert torch.equal(sample.beside[1], sample.twice[1]) and torch.equal(sample.alone[0], sample.twice[0])


def test_its_neighbour_is_no_image(sample):
    assert sample.beside[0].min() < -2  # black is -2 after normalisation


def test_its_negative_is_another_image_of_the_same_values(sample):
    changed = with_negative(sample)
    assert torch.equal(changed.beside[1], sample.twice[1]) and torch.equal(sample.twice[0], sample.twice[1])
    assert not torch.equal(changed.beside[0], sample.twice[0])
    for one, of in ((changed.beside[0].min(), "min"), (changed.beside[0].max(), "max")):
        assert one == pytest.approx(float(getattr(sample.twice[0], of)()))


def test_a_batch_is_given_as_it_was(sample):
    passes = Passes(sample)
    (first,) = passes(lambda x: x.mul_(2), sample.twice)
    assert passes.writes_images and torch.equal(first, sample.twice * 2)
    (again,) = passes(lambda x: x.mul_(2), sample.twice)
    assert torch.equal(first, again)


def test_outputs_that_are_overwritten_are_kept(sample):
    passes, memory = Passes(sample), torch.zeros(2, 2)
    (first,) = passes(lambda x: memory.fill_(1), sample.twice)
    passes(lambda x: memory.fill_(2), sample.twice)
    assert first.tolist() == [[1, 1], [1, 1]] and not passes.writes_images


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([1.0], [1.0], True),
        ([NAN, 1.0], [NAN, 1.0], True),
        ([0.0], [-0.0], True),
        ([1.0], [1.0 + 2**-23], False),
        ([NAN], [1.0], False),
        ([1.0], [1.0, 1.0], False),
    ],
)
def test_equal_is_bit_for_bit(one, other, same):
    assert equal((torch.tensor(one),), (torch.tensor(other),)) is same


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ([10.0], [10.001], True),
        ([10.0], [10.1], False),
        ([1e-6, 1e-6], [2e-6, 0.0], True),  # no loss would notice
        ([NAN], [NAN], True),
        ([NAN], [1.0], False),
    ],
)
def test_close_is_half_the_digits(one, other, near):
    assert close((torch.tensor(one),), (torch.tensor(other),)) is near


def test_the_distance_of_other_shapes_is_infinite():
    assert distance((torch.zeros(2),), (torch.zeros(3),)) == float("inf")
    assert distance((torch.zeros(2),), (torch.tensor([0, 0.5]),)) == 0.5


def test_what_a_thread_raises_is_raised():
    def fails():
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        in_a_thread(fails)


@pytest.mark.parametrize(("side", "taken"), [(96, None), (159, None), (160, 96), (224, 96)])
def test_large_images_are_judged_by_their_middles(side, taken):
    images = np.random.default_rng(0).integers(256, size=(2, 3, side, side), dtype=np.uint8)
    task = make_task("image-classification")
    sample = sample_of(task, records(images), np.arange(2), (0.5,), (0.25,), torch.float32)
    small = smaller(sample)
    if taken is None:
        assert small is None
        return
    top = (side - taken) // 2
    assert torch.equal(small.twice, sample.twice[:, :, top : top + taken, top : top + taken])
    assert small.alone.shape[2:] == small.beside.shape[2:] == (taken, taken)
