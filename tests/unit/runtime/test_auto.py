"""What was given is itself, also where it is zero or false; the word for "to be found" is None."""

from __future__ import annotations

import pytest

from evoray.runtime.auto import AUTO, given


@pytest.mark.parametrize("value", [0, 0.0, 1, "cpu", (1, 2), None, False])
def test_given_values_are_themselves(value):
    assert given(value) is value


def test_the_word_is_none():
    assert given(AUTO) is None
