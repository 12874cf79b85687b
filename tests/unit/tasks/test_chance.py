from __future__ import annotations

import math

import pytest

from evoray.tasks.chance import no_better_than_chance


@pytest.mark.parametrize(
    ("top1", "nll", "n", "classes", "outputs", "words"),
    [
        (0.20, 13.6, 4000, 10, 10, "NLL 13.6, and the same probability for each of 10 outputs gives 2.3"),
        (0.93, 0.24, 4000, 10, 10, None),
        (0.10, 2.31, 4000, 10, 10, "top-1 accuracy 10.0%, and guessing among 10 classes gives 10.0%"),
        (0.105, 2.2, 4000, 10, 10, "top-1 accuracy 10.5%"),
        (0.115, 2.2, 4000, 10, 10, None),
        (0.02, 1.0, 100, 10, 10, "top-1 accuracy 2.0%"),
        (0.5, 0.69, 200, 2, 2, "guessing among 2 classes gives 50.0%"),
        (0.8, 0.7, 200, 2, 2, "NLL 0.7, and"),
        (0.8, 0.6, 200, 2, 2, None),
        (0.0, 6.9, 64, 1000, 1000, "top-1 accuracy 0.0%"),
        (0.75, 1.0, 64, 1000, 1000, None),
        (0.6, 3.0, 500, 10, 1000, None),
        (0.6, 7.0, 500, 10, 1000, "each of 1000 outputs gives 6.91"),
        (None, None, 100, 10, 10, None),
        (0.9, None, 100, 10, 10, None),
        (1.0, 0.1, 50, 1, 10, None),
        (0.9, math.inf, 100, 10, 10, "NLL inf"),
        (1.0, 0.1, 2, 2, 2, None),
        (0.0, 9.0, 7, 10, 10, None),
        (1.0, 0.1, 8, 2, 2, None),
        (0.5, 0.9, 8, 2, 2, "these 8 images: top-1 accuracy 50.0%"),
    ],
)
def test_a_parent_is_held_against_guessing(top1, nll, n, classes, outputs, words):
    said = no_better_than_chance({"top1": top1, "nll": nll}, n, classes, outputs)
    if words is None:
        assert said is None
    else:
        assert said is not None and words in said and f"these {n} images" in said
        assert all(remedy in said for remedy in ("mean and std", "transform", "data.outputs", "logits"))


def test_records_that_are_no_images_are_not_told_of_pixels():
    said = no_better_than_chance({"top1": 0.5}, 200, 2, 2, what="records")
    assert said is not None and "on these 200 records" in said and "data.outputs" in said
    assert not any(word in said for word in ("image", "mean and std", "x/255", "transform"))


def test_figures_of_another_task_say_nothing():
    assert no_better_than_chance({"mae": 9.0}, 100, 10, 10) is None
