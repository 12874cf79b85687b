from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from evoray.config import parse_config
from evoray.data.splits import Splits
from evoray.errors import DataError
from evoray.search.class_outputs import by_outputs, data_classes

WORDS = tuple(sorted(map(str, range(12))))


def config(path="shards", outputs="auto"):
    return parse_config(
        {"parent": {"source": "module", "name": "m:f"}, "data": {"path": path, "outputs": outputs}}, "a test"
    )


def splits(*classes):
    return SimpleNamespace(described={"select": SimpleNamespace(classes=classes)}, counted="images")


def never(images):
    raise AssertionError("nothing is a guess, and nothing is evaluated")


def test_a_guess_is_asked_about_with_what_select_says():
    """A network that was trained by ImageFolder on folders 0 to 11: right in the order of words."""
    labels = np.arange(12).repeat(5)

    def answers(images):
        assert images == 64
        return labels, labels

    words = r'Top-1 on 60 images of select: 100% by "in-order", 17% by "by-number"\. Set data\.outputs'
    with pytest.raises(DataError, match=words):
        by_outputs(config(), None, splits(*WORDS), None, 12, answers)


def test_names_decide_and_are_recorded(monkeypatch):
    opened = []
    monkeypatch.setattr("evoray.search.class_outputs.Splits", lambda *given: opened.append(given[0].outputs))
    found, _, classes = by_outputs(config(), None, splits("b", "a"), ("a", "b", "c"), 3, never)
    assert found.data.outputs == classes.chosen == (1, 0) and opened == [(1, 0)]


@pytest.mark.parametrize("names", [("a", "b"), ("0", "1")])
def test_what_is_in_order_changes_nothing(names):
    given, own = config(), splits(*names)
    found, same, classes = by_outputs(given, None, own, None, 2, never)
    assert found is given and same is own and classes.chosen is None


def test_noise_has_no_names():
    given = config("mock:images=4,size=2,classes=3")
    own = Splits(given.data, 0, None)
    found, _, classes = by_outputs(given, None, own, None, 1000, never)
    assert found is given and classes.chosen is None and len(classes.classes) == 3


@pytest.mark.parametrize(
    ("outputs", "described", "names", "chosen"),
    [
        ("auto", ("a", "b"), ("a", "b"), None),
        ("in-order", ("a", "b"), ("a", "b"), None),
        ([2, 0], ("b", "", "a"), ("a", "b"), (2, 0)),
        ([0, 1], ("a", "b"), ("a", "b"), (0, 1)),
    ],
)
def test_the_datas_own_classes_have_their_names_and_order(outputs, described, names, chosen):
    assert data_classes(config(outputs=outputs), splits(*described)) == (names, chosen)
