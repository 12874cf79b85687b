"""``tracking.json``: what is known of each tracker, by several threads, and after a run was killed."""

from __future__ import annotations

import threading

import pytest

from evoray.storage.directory import RunDirectory
from evoray.tracking.base import Begun, Known
from evoray.tracking.state import FILE, State


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(str(tmp_path))


def test_what_is_said_is_known_later(directory):
    state = State(directory)
    assert state.known("mlflow") == Known(None, 0)
    state.begun("mlflow", Begun("id", "there", 2))
    state.delivered("mlflow", 3)
    later = State(directory)
    assert later.known("mlflow") == Known("id", 3)
    assert not later.has_ended("mlflow")
    later.ended("mlflow", well=True)
    assert State(directory).has_ended("mlflow")
    assert not State(directory).has_ended("wandb")


def test_an_end_by_a_failure_is_none_for_good(directory):
    state = State(directory)
    state.ended("mlflow", well=False)
    assert not State(directory).has_ended("mlflow")


def test_a_run_that_goes_on_has_not_ended(directory):
    state = State(directory)
    state.ended("mlflow", well=True)
    state.begun("mlflow", Begun("id", "there", 2))
    assert not State(directory).has_ended("mlflow")


def test_several_threads_lose_nothing(directory):
    state = State(directory)

    def tell(name):
        for step in range(20):
            state.delivered(name, step)

    threads = [threading.Thread(target=tell, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [State(directory).known(name).delivered for name in "abc"] == [19, 19, 19]


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"trackers": {"mlflow": 3}}', b'{"trackers": {"m": {"delivered": -1}}}']
)
def test_a_damaged_file_is_as_none_and_is_said(directory, content, caplog):
    directory.write(FILE, content)
    assert State(directory).known("mlflow") == Known()
    assert "begun anew" in caplog.text


def test_a_disk_that_is_full_stops_no_thread(directory, tmp_path, caplog):
    (tmp_path / FILE).mkdir()
    state = State(directory)
    state.delivered("mlflow", 3)
    assert state.known("mlflow").delivered == 3
    assert FILE in caplog.text
