"""What each class of the data is among the parent's outputs: taken where there is one reading, else asked."""

from __future__ import annotations

import re
import unicodedata

import pytest
from torchvision.models import ResNet50_Weights

from evoray.errors import ConfigError, DataError, ModelError
from evoray.models import ClassMap, UnclearError, mapped
from evoray.models.classes import synsets

CATEGORIES = tuple(ResNet50_Weights.DEFAULT.meta["categories"])
WORDS = tuple(sorted(map(str, range(12))))
"""What ImageFolder makes of folders 0 to 11: 0, 1, 10, 11, 2, …"""
NUMBERS = tuple(map(str, range(12)))
PETS = ("bird", "cat", "dog", "fish")
HUNDRED = tuple(sorted([f"{'Zebra' if i % 25 == 0 else 'animal'}_{i:02d}" for i in range(100)]))
"""Sorted by code points, as ImageFolder does: capitals first."""


def nfd(name):
    return unicodedata.normalize("NFD", name)


@pytest.mark.parametrize(
    ("classes", "parent", "outputs", "chosen", "how"),
    [
        (WORDS, WORDS, 12, None, "by name"),
        (NUMBERS, WORDS, 12, tuple(WORDS.index(name) for name in NUMBERS), "by name"),
        (WORDS, NUMBERS, 12, tuple(map(int, WORDS)), "by name"),
        (("007", "3"), ("3", "7", "9"), 3, (1, 0), "by name"),
        (tuple(map(str, range(10))), None, 10, None, "by number"),
        (NUMBERS, None, 12, None, "by number"),
        (tuple(f"{i:02d}" for i in range(12)), None, 12, None, "by number"),
        (tuple(map(str, range(10))), None, 1000, None, "by number"),
        (tuple(map(str, range(1, 10))), None, 9, None, "in order of their numbers"),
        (tuple(f"{i:03d}" for i in range(1, 103)), None, 102, None, "in order of their numbers"),
        (("2010", "2015", "2020"), None, 3, None, "in order of their numbers"),
        (PETS, None, 4, None, "in order"),
        (PETS, ("dog", "cat", "bird", "fish"), 4, (2, 1, 0, 3), "by name"),
        (("Great_White-Shark", "HEN"), CATEGORIES, 1000, (2, 8), "by name"),
        (("hen", "goldfish"), None, 1000, (8, 1), "ImageNet"),
        (("n01514859", "n01443537"), None, 1000, (8, 1), "ImageNet"),
        (tuple(reversed(synsets())), None, 1000, tuple(reversed(range(1000))), "ImageNet"),
        ((nfd("café"), "thé"), ("thé", "café"), 2, (1, 0), "by name"),
        (("ＣＡＴ", "dog"), ("dog", "cat"), 2, (1, 0), "by name"),
        (("a", "A"), ("A", "a"), 2, (1, 0), "by name"),
        (("B", "B-", "B+"), None, 3, None, "in order"),
        (tuple(sorted(HUNDRED, key=str.casefold)), HUNDRED, 100, (*range(4, 100), 0, 1, 2, 3), "by name"),
    ],
)
def test_where_there_is_one_reading_it_is_taken_and_said(classes, parent, outputs, chosen, how):
    found = mapped(classes, parent, outputs)
    assert found.chosen == chosen
    assert how in found.how and found.said.endswith(found.how)


def test_a_list_in_which_a_few_stand_elsewhere_is_in_another_order():
    """97 of 100 stand in their places; two are swapped, and one is unknown: no list that differs in a few words."""
    other = list(HUNDRED)
    other[7], other[8], other[50] = other[8], other[7], "unknown"
    with pytest.raises(DataError, match="such as unknown"):
        mapped(other, HUNDRED, 100)
    other[50] = HUNDRED[50]
    assert mapped(other, HUNDRED, 100).chosen[7:9] == (8, 7)


@pytest.mark.parametrize(
    ("classes", "outputs", "readings", "words"),
    [
        (
            WORDS,
            12,
            {'"in-order"': tuple(range(12)), '"by-number"': tuple(map(int, WORDS))},
            "class 10 output 2.*output 10",
        ),
        (
            WORDS,
            1000,
            {'"in-order"': tuple(range(12)), '"by-number"': tuple(map(int, WORDS))},
            "1000 outputs have no names",
        ),
        (("8", "1"), 1000, {'"in-order"': (0, 1), '"by-number"': (8, 1)}, "class 8 output 0"),
        (("1", "10", "2"), 3, {'"in-order"': (0, 1, 2), "[0, 2, 1]": (0, 2, 1)}, "class 10 output 1.*output 2"),
        (PETS, 1000, {'"in-order"': (0, 1, 2, 3)}, "4 classes .bird, cat, dog, fish. and the parent 1000 outputs"),
        (PETS, 5, {'"in-order"': (0, 1, 2, 3)}, "for the first 4"),
        (("2000", "2001"), 1000, {'"in-order"': (0, 1)}, "which of them the classes are is a guess"),
        (("hen", "cat"), 1000, {'"in-order"': (0, 1)}, "let the parent bring its names"),
        (("cat\x1b[31m", "dog"), 3, {'"in-order"': (0, 1)}, r"cat\\x1b\[31m"),
    ],
)
def test_where_there_are_two_the_user_is_asked(classes, outputs, readings, words):
    with pytest.raises(UnclearError, match=r"Set data\.outputs to") as raised:
        mapped(classes, None, outputs)
    assert re.search(words, str(raised.value))
    assert raised.value.readings == readings
    assert all(word in str(raised.value) for word in readings)


@pytest.mark.parametrize(
    ("asked", "classes", "outputs", "chosen"),
    [
        ("in-order", WORDS, 12, None),
        ("by-number", WORDS, 12, tuple(map(int, WORDS))),
        ("by-number", NUMBERS, 12, None),
        ("by-number", ("8", "1"), 1000, (8, 1)),
        ("in-order", PETS, 1000, None),
        ([9, 2, 3, 7], PETS, 10, (9, 2, 3, 7)),
        ([0, 1, 2, 3], PETS, 10, None),
        ("in-order", ("café", nfd("café")), 2, None),
    ],
)
def test_what_the_user_says_is_taken(asked, classes, outputs, chosen):
    assert mapped(classes, None, outputs, asked).chosen == chosen


@pytest.mark.parametrize(
    ("asked", "classes", "outputs", "error", "words"),
    [
        ("by-number", PETS, 4, ConfigError, "bird, cat, dog, fish are not the numbers of outputs"),
        ("by-number", ("1", "2"), 2, ConfigError, "each another from 0 to 1"),
        ("by-number", ("1", "01"), 2, ConfigError, "are not the numbers"),
        ([0, 4, 1, 2], PETS, 4, ConfigError, r"4 is none of the parent's 4 outputs \(0 to 3\)"),
        ("in-order", PETS, 3, ModelError, "3 outputs, the data 4 classes"),
        ("auto", PETS, 1, ModelError, "1 output, the data 4.*regression.*return a logit for each class"),
        ("auto", ("1", "01"), 2, DataError, "two have one number"),
        ("auto", ("café", nfd("café")), 2, DataError, "two classes called café.*NFC and NFD"),
    ],
)
def test_what_cannot_be_is_refused(asked, classes, outputs, error, words):
    with pytest.raises(error, match=words):
        mapped(classes, None, outputs, asked)


def test_a_parent_with_other_names_than_outputs_is_refused():
    with pytest.raises(ModelError, match="names 4 classes and has 1000 outputs"):
        mapped(PETS, PETS, 1000)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (ClassMap(PETS, 4, None, "by name"), "classes: the data's 4 are outputs 0 to 3 of the parent's 4, by name"),
        (ClassMap(PETS, 9, (8, 1, 0, 2), "so"), "outputs bird → 8, cat → 1, dog → 0, fish → 2 of the parent's 9, so"),
        (ClassMap(WORDS, 12, tuple(map(int, WORDS)), "so"), "0 → 0, 1 → 1, 10 → 10, 11 → 11, 2 → 2, … of"),
        (ClassMap(("only",), 1, None, "so"), "the data's 1 are output 0 of the parent's 1"),
    ],
)
def test_it_is_said_in_one_line(found, said):
    assert said in found.said and "\n" not in found.said


def test_it_is_recorded_whole():
    assert ClassMap(PETS, 9, (8, 1, 0, 2), "by name").to_dict() == {
        "data": 4,
        "outputs": 9,
        "data_classes": [8, 1, 0, 2],
        "how": "by name",
    }


def test_labels_that_count_from_one_are_told_from_too_many():
    with pytest.raises(ModelError, match=r"3 outputs, the data 4 classes.*subtract 1 from each label, or"):
        mapped(("0", "1", "2", "3"), None, 3)
    with pytest.raises(ModelError) as refused:
        mapped(("0", "1", "2", "3"), None, 2)
    assert "subtract" not in str(refused.value)
