"""Times and rates in words."""

from __future__ import annotations

import pytest

from evoray.watching.words import about, rounded


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (40.4, "40 s"), (89.9, "90 s"), (90, "2 min"), (7800, "2 h 10 min"), (3 * 86400, "3 days")],
)
def test_about(seconds, words):
    assert about(seconds) == words


@pytest.mark.parametrize(("value", "words"), [(1204.4, "1,204"), (3.21, "3.2"), (0.0345, "0.035")])
def test_rounded(value, words):
    assert rounded(value) == words
