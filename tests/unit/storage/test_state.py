"""What a directory shows of a run, on a disk and at a URI."""

from __future__ import annotations

import json
import os

import pytest

from evoray.errors import UsageError
from evoray.runtime.lock import holder
from evoray.storage.directory import RunDirectory
from evoray.storage.lock import LOCK, claimed, holder_at
from evoray.storage.state import check_place, rounds_of, state_of

ROUND = {"generation": 0, "kind": "child", "standing": "best so far: NLL 0.2"}


@pytest.fixture(params=["path", "uri"])
def directory(request, tmp_path):
    return RunDirectory(str(tmp_path / "run") if request.param == "path" else f"file://{tmp_path}/run")


def begun(directory, generations=3):
    directory.write_json("config.json", {"parent": {}, "search": {"generations": generations}})
    directory.write("metrics.jsonl", f"{json.dumps(ROUND)}\n{json.dumps(ROUND | {'standing': 4})}\n".encode())
    return directory


def test_from_nothing_to_the_end(directory):
    assert state_of(directory) is None and rounds_of(directory) == ()
    state = state_of(begun(directory))
    assert (state.name, state.holder, state.generations, len(state.rounds)) == ("stopped", {}, 3, 2)
    assert state.standing == "best so far: NLL 0.2"
    with claimed(directory):
        state = state_of(directory)
        assert (state.name, state.holder["pid"]) == ("running", os.getpid())
    directory.write_json("summary.json", {})
    assert state_of(directory).name == "finished"


@pytest.mark.parametrize("generations", [None, "many", True, [3]])
def test_generations_that_are_none(directory, generations):
    assert state_of(begun(directory, generations)).generations is None


def test_a_damaged_configuration_is_said(directory):
    directory.write("config.json", b"{")
    with pytest.raises(UsageError, match="damaged"):
        state_of(directory)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]\n3\nnull", b"[" * 10**5, b"\0" * 100])
def test_lines_that_are_no_rounds(directory, content):
    begun(directory).write("metrics.jsonl", content)
    state = state_of(directory)
    assert state.rounds == () and state.standing == ""


def test_who_holds_an_object_store_is_who_says_so_and_lives(tmp_path, monkeypatch):
    directory = RunDirectory(str(tmp_path / "run"))
    monkeypatch.setattr(directory, "is_local", False)
    assert holder_at(directory) is None
    directory.write_json(LOCK, holder())
    assert holder_at(directory)["pid"] == os.getpid()
    directory.write_json(LOCK, holder() | {"pid": 2**22 + 1})
    assert holder_at(directory) is None
    directory.write_json(LOCK, {"pid": 1, "host": "elsewhere"})
    assert holder_at(directory)["host"] == "elsewhere"


def test_a_place_for_a_new_run_and_one_to_resume(directory):
    assert check_place(directory) is False and check_place(directory, "auto") is False
    begun(directory).write_json("journal/identity.json", {"run_id": "a", "parent": "b", "space": "c", "data": {}})
    assert check_place(directory, True) is True and check_place(directory, "auto") is True
    with pytest.raises(UsageError, match=r"another run\. Name .* with out=, or continue that run with resume=True"):
        check_place(directory)
    directory.write("journal/identity.json", b"{")
    with pytest.raises(UsageError, match="damaged"):
        check_place(directory, True)
