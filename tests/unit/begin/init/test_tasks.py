from __future__ import annotations

import pytest

from evoray.begin.init.data import FoundData
from evoray.begin.init.parents import FoundParent
from evoray.begin.init.tasks import FILL_IN, choose, cut_of
from evoray.errors import ConfigError
from evoray.models.base import Preprocessing


def parent(kind="", **more):
    return FoundParent((), (), kind, **more)


def table(*columns, numeric=()):
    return FoundData("", "a.csv", ("a table",), columns=columns, numeric=numeric)


IMAGES = FoundData("", "photos", ("images",), "image-classification", 3)


@pytest.mark.parametrize(
    ("kind", "data", "task", "options"),
    [
        ("images", IMAGES, "image-classification", ()),
        ("", IMAGES, "image-classification", ()),
        ("", table("a", "y", numeric=("a", "y")), "regression", ("--target", "y")),
        ("", table("a", "b", numeric=("a", "b")), "regression", ("--target", FILL_IN)),
        ("generation", table("prompt", "answer"), "generation", ("--input", "prompt")),
        ("generation", table("question", "choices", "answer"), "multiple-choice", ()),
        ("generation", table("text"), "language-modelling", ("--input", "text")),
        (
            "text-classification",
            table("sentence", "label"),
            "text-classification",
            ("--input", "sentence", "--target", "label"),
        ),
        ("text-classification", table("s", "l"), "text-classification", ("--input", FILL_IN, "--target", FILL_IN)),
        ("masks", FoundData("", "voc", ("masks",), ""), "segmentation", ()),
        ("images", FoundData("", "m:make", ("a Dataset",), ""), "image-classification", ()),
    ],
)
def test_parent_and_data_say_the_task(kind, data, task, options):
    found = choose(parent(kind), data, None)
    assert (found.task, found.options) == (task, options)
    assert any(FILL_IN in line for line in found.to_do) == (FILL_IN in options)


def test_what_the_user_says_counts():
    assert choose(parent(), table("a", "y", numeric=("a", "y")), "multi-label").task == "multi-label"
    assert choose(parent(), IMAGES, "mine:Task").task == "mine:Task"
    with pytest.raises(ConfigError, match="--task regresion: none of image-classification"):
        choose(parent(), IMAGES, "regresion")


def test_where_nothing_says_it_the_choices_are_named():
    with pytest.raises(ConfigError, match="which task is meant\\? Say it with --task: image-classification"):
        choose(parent(), FoundData("", "m:make", ("a Dataset",), ""), None)
    with pytest.raises(ConfigError, match="the parent is of images"):
        choose(parent("images"), table("a"), None)


def test_a_reward_is_the_user_s_to_write():
    found = choose(parent("generation"), table("prompt", "answer"), None)
    assert {key: value for key, value, _ in found.keys}["reward"] == "rewards:score" and found.to_do


@pytest.mark.parametrize(
    ("images", "size", "options"),
    [
        (Preprocessing(resize=256, crop=224), None, ["--resize", "256", "--crop", "224"]),
        (Preprocessing(resize=248, crop=224, interpolation="bicubic"), None,
         ["--resize", "248", "--crop", "224", "--interpolation", "bicubic"]),
        (Preprocessing(channels=1), (28, 28), ["--resize", "none", "--channels", "1"]),
        (Preprocessing(), (64, 48), ["--resize", "256", "--crop", "224"]),
    ],
)  # fmt: skip
def test_images_are_cut_as_the_library_or_the_pictures_say(images, size, options):
    data = FoundData("", "photos", ("images",), size=size)
    assert list(cut_of(parent(images=images, own_file=True), data)) == options
    assert list(cut_of(parent(images=images), data)) == []  # --for says it
