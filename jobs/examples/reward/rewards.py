"""The reward of an answer, and what of an answer is voted on. Any Python will do; it needs no gradient."""

import re


def exact(prompt, answer, record):
    """1 where the last number of the answer is the record's ``answer``, else 0."""
    return float(last_number(answer) == record["answer"])


def last_number(answer):
    found = re.findall(r"-?\d+", answer.replace(",", ""))
    return found[-1] if found else ""
