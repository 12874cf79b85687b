from __future__ import annotations

import io
import re

import numpy as np
import pytest
import torch

from evoray.tasks.generation.asking import read_frame, reply, serve, write_frame


def test_frames_come_back_one_by_one():
    file = io.BytesIO()
    write_frame(file, ["é", 1.5])
    write_frame(file, None)
    write_frame(file, "last")
    file.seek(0)
    assert [read_frame(file) for _ in range(4)] == [["é", 1.5], None, "last", None]


@pytest.mark.parametrize(
    ("value", "found"),
    [(True, 1.0), (3, 3.0), ("1", "text"), (b"1", "text"), (None, "None"), (float("-inf"), "finite"), ({}, "a dict")],
)
def test_a_reward_is_a_finite_number(value, found):
    reward, voted, why = reply(lambda prompt, answer, record: value, str.strip, ("p", " a ", "{}"), None)
    assert (reward, voted) == (found if isinstance(found, float) else None, "a")
    assert (why == "") == isinstance(found, float) and (isinstance(found, float) or found in why)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.array([1.5]), r"a ndarray of shape \(1,\): return a number, such as its .item\(\)"),
        (np.array([[2]]), r"of shape \(1, 1\).*\.item\(\)"),
        (np.array([1.0, 2.0]), r"of shape \(2,\): return a number, such as its mean"),
        (torch.ones(3), r"a Tensor of shape \(3,\): return a number, such as its mean"),
        (np.array([]), r"of shape \(0,\)"),
        ([0.5], "a list of one value: return the value itself"),
        ((0.5, "why"), "a tuple: return a number"),
        ({"reward": 1.0}, "a dict: return a number"),
    ],
)
def test_an_array_is_no_number_and_how_to_make_one_is_said(value, says):
    reward, _, why = reply(lambda *given: value, str.strip, ("p", "a", "{}"), None)
    assert reward is None and re.search(says, why), why


@pytest.mark.parametrize("value", [torch.tensor(2.0), torch.tensor([2.0]), np.array(2), np.float32(2)])
def test_a_scalar_of_a_library_is_one(value):
    assert reply(lambda *given: value, str.strip, ("p", "a", "{}"), None)[0] == 2.0


def test_a_reward_is_given_the_whole_record():
    seen = []
    reply(lambda *given: seen.append(given) or 0, str.strip, ("p", "a", '{"n": [1, {"x": null}]}'), None)
    assert seen == [("p", "a", {"n": [1, {"x": None}]})]


def test_it_says_ready_or_why_not():
    asked, said = io.BytesIO(), io.BytesIO()
    write_frame(asked, [("p", "a", "{}"), ("p", "b", "{}")])
    asked.seek(0)
    serve("math:hypot", "", None, 60, asked, said)
    said.seek(0)
    assert read_frame(said) == "ready"
    assert read_frame(said)[0] is None and read_frame(said)[0] is None and read_frame(said) is None
    said = io.BytesIO()
    serve("no_such_module_at_all:f", "", None, 60, asked, said)
    said.seek(0)
    assert "no module no_such_module_at_all" in read_frame(said)
