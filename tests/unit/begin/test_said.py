from __future__ import annotations

import pytest

from evoray.begin.said import beside, folded, listed

TEXT = "a sentence of several words that is longer than a narrow terminal"


@pytest.mark.parametrize("width", [30, 40, 80])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(width):
    lines = list(beside([("name", TEXT), ("longer", "short")], width))
    assert max(map(len, lines)) <= width
    assert " ".join(" ".join(lines).split()) == f"name {TEXT} longer short"


def test_sentences_stand_in_one_column():
    assert list(beside([("a", "one"), ("bcd", "two")], 80, 2)) == ["  a    one", "  bcd  two"]


def test_a_very_long_name_has_a_line_of_its_own():
    assert list(beside([("x" * 30, "one"), ("y", "two")], 40)) == ["x" * 30, " " * 15 + "one", "y".ljust(15) + "two"]


def test_nothing_gives_no_lines():
    assert list(beside([], 80)) == [] and folded("", 80) == []


def test_a_word_that_is_longer_than_the_line_stays_whole():
    assert folded("see /a/very-long/path here", 8) == ["see", "/a/very-long/path", "here"]


def test_a_list_names_a_few_and_counts_the_others():
    assert listed(["a", "b"]) == "a, b"
    assert listed(map(str, range(10)), 3) == "0, 1, 2 and 7 more"
