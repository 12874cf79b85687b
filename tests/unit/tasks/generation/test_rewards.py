"""Rewards that raise, hang, end their process or return nonsense are failures, and the next answer has its own."""

from __future__ import annotations

import json
import os
import time

import pytest

from evoray.errors import ConfigError
from evoray.tasks.generation.rewards import Judged, Rewards

OWN = """
import os, time, sys, signal
import numpy as np

def reward(prompt, answer, record):
    print("of no account")
    kind = record["kind"]
    if kind == "raises":
        return 1 / len(record["nothing"])
    if kind == "hangs":
        while True:
            time.sleep(1)
    if kind == "spins":
        while True:
            pass
    if kind == "exits":
        sys.exit(3)
    if kind == "ends":
        os._exit(3)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"nan": float("nan"), "inf": np.inf, "text": "0.5", "none": None, "list": [1], "yes": True,
            "int": 2, "numpy": np.float32(0.5), "length": len(answer), "complex": 1j,
            "numpy complex": np.complex128(1 + 5j)}[kind]

def last(answer):
    if "!" in answer:
        return 5
    return answer.split()[-1]

def two(prompt, answer):
    return 1.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("rewards")
    (place / "own_rewards.py").write_text(OWN)
    return place


def asked(*kinds, answer=" so it is 7 "):
    return [("prompt", answer, json.dumps({"kind": kind, "nothing": []})) for kind in kinds]


@pytest.fixture(scope="module")
def rewards(folder):
    return Rewards("own_rewards:reward", "own_rewards:last", 5.0, folder)


@pytest.mark.parametrize(
    ("kind", "value"), [("yes", 1.0), ("int", 2.0), ("numpy", 0.5), ("length", 12.0)]
)  # fmt: skip
def test_a_number_of_any_kind_is_a_reward(rewards, kind, value):
    assert rewards.ask(asked(kind)) == [Judged(value, "7")]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("raises", "ZeroDivisionError: division by zero (own_rewards.py, line 9"),
        ("nan", "it returned nan: return a finite number"),
        ("inf", "it returned inf"),
        ("text", "it returned text, '0.5': return a number"),
        ("none", "it returned None: it may end without a return"),
        ("list", "it returned a list of one value: return the value itself"),
        ("complex", "it returned a complex"),
        ("numpy complex", "it returned a complex128: return a number"),
        ("unknown", "KeyError"),
        ("exits", "SystemExit"),
        ("ends", "it ended its process (exit status 3)"),
        ("killed", "it ended its process (signal 9)"),
    ],
)
def test_whatever_else_it_does_is_a_failure(rewards, kind, said):
    found = rewards.ask(asked("int", kind, "length"))
    assert [one.reward for one in found] == [2.0, None, 12.0] and said in found[1].failure, found[1].failure
    assert [one.voted for one in found][::2] == ["7", "7"]


@pytest.mark.parametrize("kind", ["hangs", "spins"])
def test_one_that_hangs_is_ended_in_time(folder, kind):
    rewards = Rewards("own_rewards:reward", "", 0.3, folder)
    rewards.ask(asked("int"))
    started = time.monotonic()
    found = rewards.ask(asked("int", kind, "length"))
    assert time.monotonic() - started < 30
    assert [one.reward for one in found] == [2.0, None, 12.0]
    assert found[1] == Judged(None, "so it is 7", "it took more than 0.3 s, and was ended (task.reward_seconds)")


def test_what_is_voted_on_is_taken_out_of_the_answer(rewards, folder):
    assert rewards.ask(asked("int", answer="the sum is 12"))[0].voted == "12"
    (lost,) = rewards.ask(asked("int", answer="12!"))
    assert lost.reward is None and "task.answer raised TypeError: it returned a int" in lost.failure
    (empty,) = rewards.ask(asked("int", answer=""))
    assert (empty.reward, empty.voted) == (None, "") and "IndexError" in empty.failure
    assert Rewards("own_rewards:reward", "", 5.0, folder).ask(asked("length", answer=""))[0] == Judged(0.0, "")


@pytest.mark.parametrize(
    ("name", "said"),
    [("no_such_rewards:f", "no module no_such_rewards"), ("own_rewards:nothing", "has no nothing")],
)
def test_what_cannot_be_imported_is_said_at_once(folder, name, said):
    with pytest.raises(ConfigError, match=said):
        Rewards(name, "", 5.0, folder).ask(asked("int"))


def test_a_function_of_other_arguments_fails_each_time(folder):
    (found,) = Rewards("own_rewards:two", "", 5.0, folder).ask(asked("int"))
    assert found.reward is None and "takes 2 positional arguments but 3 were given" in found.failure


def test_large_lists_and_odd_characters_pass(rewards):
    found = rewards.ask(asked(*(["length"] * 300), answer="\ud800 é" * 2000 + " x"))
    assert {one.reward for one in found} == {6002.0}


def test_a_process_ends_with_who_asked(folder):
    rewards = Rewards("own_rewards:reward", "", 5.0, folder)
    rewards.ask(asked("int"))
    number = rewards._process._own.pid
    assert os.path.isdir(f"/proc/{number}")
    del rewards
    assert not os.path.isdir(f"/proc/{number}")
