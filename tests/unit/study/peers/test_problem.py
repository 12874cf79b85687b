from __future__ import annotations

import numpy as np
import pytest
import torch

from evoray.data import open_dataset
from evoray.errors import ConfigError
from evoray.study.peers.problem import Score, fashion_mnist


def test_the_images_of_both_sides_are_fashion_mnists_and_none_is_on_both(problem):
    sides = [open_dataset(str(folder)).load(0) for folder in (problem.select, problem.test)]
    assert [len(one.labels) for one in sides] == [40, 60]
    source = open_dataset("fashion-mnist")
    known = {
        np.asarray(image).tobytes(): int(label)
        for shard in map(source.load, range(len(source.shard_rows)))
        for image, label in zip(shard.images, shard.labels, strict=True)
    }
    found = [
        (np.asarray(one).tobytes(), int(label))
        for side in sides
        for one, label in zip(side.images, side.labels, strict=True)
    ]
    assert all(known[image] == label for image, label in found)
    assert len(dict(found)) == 100


def test_more_images_than_there_are_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="has 10000 images"):
        fashion_mnist(tmp_path, 0, 9000, 2000)


def test_what_is_written_is_read_and_changes_the_loss(network):
    first, moved = network.loss(network.select), network.home + 0.1
    network.write(moved)
    torch.testing.assert_close(network.vector(), moved, rtol=0, atol=0)
    assert network.loss(network.select) != first
    network.write(network.home)
    assert network.loss(network.select) == first


def test_a_network_that_gives_no_number_is_the_worst(network):
    network.write(network.home * float("nan"))
    assert network.loss(network.select) == float("inf")


def test_a_score_takes_logits_and_logarithms_of_probabilities_alike():
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]]), torch.tensor([0, 0, 1])
    score = Score.of(logits, labels)
    np.testing.assert_allclose(score.nll, [np.log1p(np.exp(-2)), np.log1p(np.exp(1)), np.log1p(np.exp(2))], rtol=1e-6)
    assert score.right.tolist() == [True, False, False]
    np.testing.assert_allclose(Score.of(logits.log_softmax(1), labels).nll, score.nll, rtol=1e-6)
