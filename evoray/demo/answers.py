"""What the language demo asks of an answer; a run names these functions as it would name a user's own."""

import re
from collections.abc import Mapping
from typing import Any

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def last_number(text: str) -> str:
    """The last number in a text, as it is written but for commas between thousands; else the text, stripped.

    What is voted on: ``57``, ``The answer is 57.`` and ``43 + 14 = 57`` are one answer.
    """
    found = _NUMBER.findall(re.sub(r"(?<=\d),(?=\d{3})", "", text))
    return found[-1] if found else text.strip()


def exact_match(prompt: str, answer: str, record: Mapping[str, Any]) -> float:
    """The reward: 1 where the answer's last number is the problem's, else 0."""
    return float(last_number(answer) == str(record["answer"]).strip())
