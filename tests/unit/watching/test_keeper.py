"""What is kept beside a run: whole, seldom, and never at the run's cost."""

from __future__ import annotations

import json
import time

import pytest
from told import a_run, round_done, stage, started

from evoray.errors import RunError
from evoray.runtime.events import RunEnded
from evoray.storage.directory import RunDirectory
from evoray.watching import keeper as module
from evoray.watching.keeper import PAGE, Keeper, is_growing
from evoray.watching.view import STATE


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(str(tmp_path))


def tell(directory, events, *, page=True):
    with Keeper(directory, page) as keeper:
        for event in events:
            keeper.observe(event)
        wait_for(lambda: directory.exists(STATE) and (not page or directory.exists(PAGE)))
        yield keeper


def wait_for(there):
    deadline = time.monotonic() + 20
    while not there() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert there()


def test_both_are_there_after_the_first_round(directory):
    for _ in tell(directory, a_run()):
        assert json.loads(directory.read(STATE))["run_id"] == "ab" * 16
        page = directory.read(PAGE).decode()
        assert 'http-equiv="refresh"' in page and "running: generation" in page and "g0000/c0001" in page
        assert is_growing(directory)


def test_a_finished_run_leaves_its_own_page_alone(directory):
    for keeper in tell(directory, a_run()):
        keeper.observe(RunEnded("ab" * 16, "better"))
        assert not directory.exists(STATE)
        directory.write(PAGE, b"the finished page")
    assert directory.read(PAGE) == b"the finished page" and not is_growing(directory)


def test_without_a_page_none_is_made_and_a_growing_one_goes(directory):
    for keeper in tell(directory, a_run()):
        keeper.observe(RunEnded("ab" * 16, None, "KeyboardInterrupt: "))
    assert is_growing(directory)
    for keeper in tell(directory, a_run(), page=False):
        keeper.observe(RunEnded("ab" * 16, "better"))
    assert not directory.exists(PAGE)


@pytest.mark.parametrize(
    ("error", "state"), [("KeyboardInterrupt: ", "stopped"), ("RunError: the disk is full", "failed")]
)
def test_a_run_that_ends_otherwise_says_so_and_its_page_reloads_no_more(directory, error, state):
    for keeper in tell(directory, a_run()):
        keeper.observe(RunEnded("ab" * 16, None, error))
    page = directory.read(PAGE).decode()
    assert f'<p class="verdict">{state}: ' in page and 'http-equiv="refresh"' not in page
    assert json.loads(directory.read(STATE))["error"] == error


def test_nothing_is_written_before_the_run_has_begun(directory):
    with Keeper(directory) as keeper:
        for event in list(a_run())[:1]:
            keeper.observe(event)
    assert directory.names() == []


def test_a_run_of_many_rounds_writes_seldom(directory, monkeypatch):
    written = []
    write = RunDirectory.write
    monkeypatch.setattr(
        RunDirectory, "write", lambda self, name, content: (written.append(name), write(self, name, content))
    )
    events = [started(), *(event for n in range(300) for event in (stage(n), round_done(n, [0.5] * 4, parent=0.6)))]
    for _ in tell(directory, events):
        pass
    assert written.count(PAGE) <= 2 and written.count(STATE) <= 4


def test_a_full_disk_is_complained_of_once_and_stops_nothing(directory, monkeypatch, caplog):
    monkeypatch.setattr(module, "EVERY_S", 0.0)

    def full(*_):
        raise RunError("no room")

    monkeypatch.setattr(directory, "write", full)
    with Keeper(directory) as keeper:
        for event in a_run():
            keeper.observe(event)
        wait_for(lambda: "no room" in caplog.text)
        keeper.observe(RunEnded("ab" * 16, None, "RunError: no room"))
    assert caplog.text.count("no room") == 1


def test_a_slow_disk_holds_nothing_up(directory, monkeypatch):
    monkeypatch.setattr(directory, "write", lambda *_: time.sleep(0.3))
    events = list(a_run())
    with Keeper(directory) as keeper:
        begun = time.perf_counter()
        for event in events:
            keeper.observe(event)
        assert time.perf_counter() - begun < 0.25
