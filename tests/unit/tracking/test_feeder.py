"""A tracker that fails, dies or hangs costs the run nothing, and what it missed is counted.

The trackers are real classes in real processes; those that hang would do so for ten minutes.
"""

from __future__ import annotations

import time

import pytest

from evoray.storage.directory import RunDirectory
from evoray.tracking import feeder as module
from evoray.tracking.ending import limits, wait_for
from evoray.tracking.feeder import Feeder
from evoray.tracking.state import State

IN_TIME_S = 60
"""Far less than they would hang, far more than a slow machine takes."""


@pytest.fixture
def fed(begin, tmp_path):
    """Feeds a tracker three rounds and a failure's end; (what it missed, the feeder, its state)."""

    def make(tracker, patience=0.5, rounds=3, before_end=lambda: None):
        state = State(RunDirectory(str(tmp_path)))
        one = Feeder("fake", begin(tracker), state)
        one.start()
        for step in range(1, rounds + 1):
            one.tell({"kind": "round", "step": step, "figures": {"children/best/nll": step}})
        one.tell({"kind": "end", "step": rounds, "error": "stopped"})
        before_end()
        one.close()
        wait_for([one], limits(0, patience, well=True))
        return one.missed(), one, state

    return make


def test_all_is_told_in_order_and_written_down(fed, told, capfd):
    missed, one, state = fed("Keeps", patience=30)
    assert (missed, one.problem) == (0, "")
    assert [line.get("round") for line in told()] == [None, 1, 2, 3, None]
    assert told()[-1]["error"] == "stopped"
    assert (state.known("fake").id, state.known("fake").delivered) == ("id-of-abc", 3)
    assert capfd.readouterr() == ("", ""), "a tracker's chatter is none of the terminal's"


def test_one_that_is_told_again_is_told_what_it_lacks(fed, told):
    fed("Keeps", patience=30, rounds=2)
    missed, _, state = fed("Keeps", patience=30, rounds=4)
    assert missed == 0
    assert [line["round"] for line in told() if "round" in line] == [1, 2, 3, 4]
    assert [line["known"] for line in told() if "known" in line] == [None, "id-of-abc"]
    assert state.known("fake").delivered == 4


@pytest.mark.parametrize(
    ("tracker", "missed", "problem"),
    [
        ("Raises", 4, "the server is away"),
        ("Dies", 4, "its process died (Segmentation fault)"),
        ("nowhere:Tracker", 4, "no module nowhere"),
    ],
)
def test_one_that_fails_misses_the_rest_and_says_why(fed, tracker, missed, problem):
    found, one, _ = fed(tracker, patience=30)
    assert found == missed
    assert problem in one.problem


@pytest.mark.parametrize(("tracker", "missed"), [("BeginsNever", 4), ("HangsInRound", 3), ("HangsAtTheEnd", 1)])
def test_one_that_hangs_is_given_up(fed, told, tracker, missed):
    started = time.monotonic()
    found, one, _ = fed(tracker, before_end=lambda: until(lambda: len(told()) >= 5 - missed))
    assert found == missed
    assert "no answer" in one.problem or one.problem == "it is behind"  # whichever limit a busy machine meets first
    assert time.monotonic() - started < IN_TIME_S
    assert not one._remote.is_alive and not one._thread.is_alive(), "neither process nor thread are left behind"


def until(true, seconds=IN_TIME_S):
    """Waits for another process."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError("it never came")


def test_one_that_was_away_is_told_all_once_it_is_back(fed, told, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "AGAIN_S", 0.05)

    def come_back():
        until((tmp_path / "out" / "told").exists)
        (tmp_path / "out" / "back").touch()

    missed, one, _ = fed("BackLater", patience=30, before_end=come_back)
    assert (missed, one.problem) == (0, "")
    assert [line["round"] for line in told() if "round" in line] == [1, 2, 3]


def test_more_than_the_queue_holds_leaves_a_beginning(begin, tmp_path, monkeypatch):
    """What could not be told is counted, and nothing after it is told: a later resend knows where to begin."""
    monkeypatch.setattr(module, "QUEUED", 2)
    one = Feeder("fake", begin("Keeps"), State(RunDirectory(str(tmp_path))))  # not started: nobody takes from its queue
    for step in range(1, 6):
        one.tell({"kind": "round", "step": step, "figures": {}})
    assert [one._queue.get_nowait()["step"] for _ in range(2)] == [1, 2]
    one.tell({"kind": "round", "step": 6, "figures": {}})
    assert one._queue.empty() and one._dropped == 4
