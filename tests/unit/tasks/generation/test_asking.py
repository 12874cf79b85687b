from __future__ import annotations

import io

import pytest

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
