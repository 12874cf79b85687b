from __future__ import annotations

import pytest

from evoray.errors import DataError
from evoray.ingest.labels.agreement import MOST_TEXTS, Agreement, Said, Twice, differs


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("3", "3", False), ("3", "3.0", False), ("007", "7", False), ("Cat", "cat", False), ("3", "4", True),
        ("cat", "dog", True), ("3", "cat", True), ("nan", "inf", True), ("nan", "nan", False), ("-1", "1", True),
    ],
)  # fmt: skip
def test_two_texts_are_one_label_or_not(one, two, expected):
    assert differs(one, two) is expected


def twice(taken, other, of="json label"):
    return Twice(Said(taken, "cls"), Said(other, of), "a.tar: the record 1")


def check(pairs, classes=("0", "1", "2")):
    agreement = Agreement()
    for pair in pairs:
        agreement.add(pair)
    agreement.finish(classes)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [twice("1", "cat"), twice("2", "dog"), twice("1", "cat")],
        [twice("1", "cat"), twice("1", "n02123045", "json class_name")],
        [twice("1", "a cat", "txt"), twice("1", "a dog", "txt")],
    ],
)
def test_labels_that_agree_pass(pairs):
    check(pairs)


@pytest.mark.parametrize(
    "pairs",
    [
        [twice("1", "2")],
        [twice("cat", "dog")],
        [twice("1", "cat"), twice("1", "dog")],
        [twice("1", "cat"), twice("2", "cat")],
        [twice("1", "2", "txt")],
        [twice("1", "2", "left.txt")],
        [twice("1", "[0, 1]")],
    ],
)
def test_labels_that_differ_are_refused(pairs):
    with pytest.raises(DataError, match=r"the record 1 has two labels that differ: .*--label-column cls or"):
        check(pairs)


def test_captions_are_not_kept_without_end():
    check([twice("1", str(number), "txt") for number in range(MOST_TEXTS + 1)])
