"""Events go to every observer, and no observer can stop a run."""

from __future__ import annotations

import json
import logging
from dataclasses import FrozenInstanceError

import pytest

from evoray.runtime.events import (
    ChildGivenUp,
    Noted,
    Observers,
    RoundDone,
    RunEnded,
    StageProgress,
    StageStarted,
)
from evoray.runtime.progress import Progress, ShownProgress

ROUND = RoundDone(2, "child", 8, 1, -0.25, -0.5, 1.5)


class Keeps:
    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)


class Breaks:
    def observe(self, event):
        raise ValueError("no disk")


def test_an_observer_that_raises_is_logged_and_stops_nobody(caplog):
    keeps = Keeps()
    with caplog.at_level(logging.ERROR, "evoray"):
        Observers([Breaks(), keeps]).emit(ROUND)
    assert keeps.events == [ROUND]
    assert "Breaks on RoundDone" in caplog.text
    assert "no disk" in caplog.text


def test_what_is_no_error_goes_through():
    class Interrupts:
        def observe(self, event):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Observers([Interrupts()]).emit(ROUND)


def test_events_are_frozen():
    with pytest.raises(FrozenInstanceError):
        ROUND.generation = 3


def test_a_round_as_a_line_leaves_out_what_there_is_not():
    assert list(ROUND.to_dict()) == [
        "generation",
        "kind",
        "candidates",
        "failed",
        "best_fitness",
        "mean_fitness",
        "wall_s",
    ]
    full = RoundDone(0, "child", 2, 1, None, None, 0.5, {"g0000/c0001": "shard 3: memory"}, {"dropped": 1})
    line = json.loads(json.dumps(full.to_dict()))
    assert (line["given_up"], line["racing"]) == ({"g0000/c0001": "shard 3: memory"}, {"dropped": 1})


def test_progress_is_drawn_from_events():
    class Draws(Progress):
        def __init__(self):
            self.seen = []

        def stage(self, name, total, unit="evaluations"):
            self.seen.append((name, total, unit))

        def advance(self, count):
            self.seen.append(count)

        def note(self, text):
            self.seen.append(text)

    draws = Draws()
    observers = Observers([ShownProgress(draws)])
    for event in (
        StageStarted("g0000/child", "child", 12),
        StageProgress(1),
        ChildGivenUp("g0000/c0001", 3, "out of memory"),
        Noted("going on"),
        ROUND,
        RunEnded("id", "better"),
    ):
        observers.emit(event)
    assert draws.seen == [
        ("g0000/child", 12, "evaluations"),
        1,
        "g0000/c0001 on shard 3: out of memory. It ranks last.",
        "going on",
    ]
