from __future__ import annotations

import json

import pytest

from evoray.errors import ConfigError
from evoray.tasks.generation.fitting import check_rewards
from evoray.tasks.generation.rewards import Rewards

OWN = """
import os, random, time

calls = 0
SEEN = {"a", "b", "c", "d", "e", "f", "g", "h"}

def good(prompt, answer, record):
    return len(answer)

def never(prompt, answer, record):
    return answer.nothing

def seldom(prompt, answer, record):
    return 1 / record["n"]

def chance(prompt, answer, record):
    return random.random()

def counts(prompt, answer, record):
    global calls
    calls += 1
    return calls

def of_process(prompt, answer, record):
    return os.getpid()

def order_of_a_set(answer):
    return "".join(SEEN)

def negative(prompt, answer, record):
    return -len(answer)
"""
QUESTIONS = [(f"prompt {n}", "x" * n, json.dumps({"n": n})) for n in range(5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fitting")
    (place / "fitting_rewards.py").write_text(OWN)
    return place


def check(folder, name, answer="", lowest=0.0):
    rewards = Rewards(f"fitting_rewards:{name}", answer and f"fitting_rewards:{answer}", 30.0, folder)
    return check_rewards(rewards, QUESTIONS, lowest)


def test_a_sound_reward_is_not_spoken_of(folder):
    assert check(folder, "good") == ()
    assert check(folder, "negative", lowest=-10.0) == ()


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("never", "", r"fails for each of the parent's first 5 answers. to the prompt 'prompt 0'.*AttributeError"),
        ("chance", "", "asked again.*depend on"),
        ("counts", "", "asked again.*depend on"),
        ("of_process", "", "asked again.*depend on"),
        ("good", "order_of_a_set", "asked again.*order of a set"),
        ("negative", "", r"task.lowest = 0: what fails counts more than an answer of the parent, whose reward is -4"),
    ],
)
def test_what_is_no_sound_reward_is_refused(folder, name, answer, said):
    with pytest.raises(ConfigError, match=said):
        check(folder, name, answer)


def test_some_failures_are_told_with_the_first(folder):
    (said,) = check(folder, "seldom")
    assert "1 of 5 rewards failed" in said and "ZeroDivisionError" in said and "fitting_rewards.py, line 14" in said
