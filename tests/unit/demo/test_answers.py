from __future__ import annotations

import pytest

from evoray.demo.answers import exact_match, last_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("57", "57"),
        (" 57\n", "57"),
        ("The answer is 57.", "57"),
        ("43 + 14 = 57", "57"),
        ("43 + 14 = 57, and so 58", "58"),
        ("-3", "-3"),
        ("It is 1,234 legs.", "1234"),
        ("3, 4", "4"),
        ("12,34", "34"),
        ("2.50", "2.50"),
        ("It is 5.", "5"),
        ("I do not know.", "I do not know."),
        ("  ", ""),
        ("", ""),
    ],
)
def test_the_last_number_of_an_answer(text, number):
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("answer", "right", "reward"),
    [
        ("The answer is 57.", "57", 1.0),
        ("57 + 1 = 58", "57", 0.0),
        ("57", 57, 1.0),
        ("-57", "57", 0.0),
        ("", "57", 0.0),
        ("057", "57", 0.0),
    ],
)
def test_the_reward_is_one_where_the_last_number_is_the_problems(answer, right, reward):
    assert exact_match("43 + 14 =", answer, {"answer": right}) == reward
