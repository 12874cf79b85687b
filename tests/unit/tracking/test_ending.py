"""What the end of a run waits, by a clock that only waiting moves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from evoray.tracking.ending import BACKLOG, LONG_S, SHORT_S, Standing, limits, unlimited, wait_for

END = 1_000.0
"""When the run ends, by the clock."""


class Clock:
    def __init__(self):
        self.now = END

    def __call__(self):
        return self.now

    def pause(self, seconds):
        self.now += seconds

    @property
    def waited(self):
        return self.now - END


@dataclass
class Tracker:
    """done_in: seconds after the end, by which it has been told all. busy_since, failed, rounds: as it stands until
    then; ``beat``: it shows every so often that it works."""

    clock: Clock
    done_in: float = math.inf
    busy_since: float | None = None
    ready_since: float | None = 0.0
    rounds: int = 0
    failed: bool = False
    beat: float = math.inf
    given_up: list = field(default_factory=list)

    def standing(self):
        if self.clock.waited >= self.done_in or self.given_up:
            return None
        since = self.busy_since
        if since is not None and self.beat < math.inf:
            since = max(since, END + self.clock.waited // self.beat * self.beat)
        return Standing(since, self.ready_since, self.rounds, self.failed)

    def give_up(self, why):
        self.given_up.append(why)


def waited(limit, *kinds):
    """(seconds that were waited, the trackers)."""
    clock = Clock()
    trackers = [Tracker(clock, **kind) for kind in kinds]
    wait_for(trackers, limit, clock, clock.pause)
    return clock.waited, trackers


HANGS = {
    "at the end": {"busy_since": END},
    "in the last second": {"busy_since": END - 1},
    "long before": {"busy_since": END - 60, "rounds": 40},
    "from the beginning on": {"busy_since": END - 900, "ready_since": None, "rounds": 900},
    "after a failure": {"busy_since": END, "failed": True},
    "and waits to be asked again": {"failed": True, "rounds": 9},
}


@pytest.mark.parametrize("run_s", [300, 1_000, 5_000, 100_000])
@pytest.mark.parametrize("hang", HANGS)
def test_one_whose_server_hangs_costs_less_than_a_hundredth_of_the_run(run_s, hang):
    seconds, (one,) = waited(limits(run_s, None, well=True), HANGS[hang])
    assert len(one.given_up) == 1
    assert seconds <= 0.01 * run_s + 0.03 and seconds <= LONG_S + 0.03
    if hang in ("long before", "from the beginning on"):
        assert seconds == 0 or run_s > 5_000, "it is silent already"


@pytest.mark.parametrize("run_s", [1, 20, 200])
def test_a_short_run_waits_some_seconds_for_an_answer_and_for_a_failure_none(run_s):
    assert waited(limits(run_s, None, well=True), HANGS["at the end"])[0] == pytest.approx(SHORT_S, abs=0.05)
    assert waited(limits(run_s, None, well=True), HANGS["after a failure"])[0] <= 0.01 * run_s + 0.03
    assert waited(limits(run_s, None, well=True), HANGS["long before"])[0] == 0


def test_several_that_hang_cost_no_more_than_one():
    seconds, found = waited(limits(1_000, None, well=True), *HANGS.values())
    assert seconds <= 10.03 and all(one.given_up for one in found)


@pytest.mark.parametrize("beside", [[], [HANGS["at the end"]]])
def test_one_that_answers_is_waited_for_and_not_one_moment_longer(beside):
    """It has pictures to draw and a file to send, which takes longer than a silence may."""
    works = {"done_in": 12.0, "busy_since": END, "beat": 1.0}
    seconds, (one, *_) = waited(limits(60, None, well=True), works, *beside)
    assert seconds == pytest.approx(12, abs=0.03) and one.given_up == []
    assert waited(limits(60, None, well=True), {"done_in": 0.0})[0] == 0


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ({"rounds": 500}, SHORT_S),  # answers, a second each
        ({"busy_since": END, "beat": 0.5}, BACKLOG * LONG_S),  # works for ever
        ({"ready_since": END + 5, "rounds": 3}, SHORT_S + 5),  # was still beginning
    ],
)
def test_one_that_is_slow_is_behind(kind, most):
    seconds, (one,) = waited(limits(60, None, well=True), kind)
    assert seconds == pytest.approx(most, abs=0.05) and one.given_up == ["it is behind"]


def test_patience_is_the_users():
    assert waited(limits(60, 40.0, well=True), HANGS["at the end"])[0] == pytest.approx(40, abs=0.05)
    assert waited(limits(60, 0.5, well=True), HANGS["after a failure"])[0] == pytest.approx(0.5, abs=0.05)
    endless = {"busy_since": END, "beat": 0.5}
    assert waited(limits(60, 40.0, well=True), endless)[0] == pytest.approx(160, abs=0.05)
    assert waited(limits(60, None, well=False), endless)[0] == pytest.approx(SHORT_S, abs=0.05)


def test_who_waits_for_nothing_else_is_patient_with_one_that_answers():
    assert waited(unlimited(None), {"rounds": 500, "done_in": 400.0})[1][0].given_up == []
    assert waited(unlimited(None), HANGS["at the end"])[0] == pytest.approx(LONG_S, abs=0.05)


def test_ctrl_c_leaves_none_waiting():
    def interrupted(seconds):
        raise KeyboardInterrupt

    clock = Clock()
    trackers = [Tracker(clock), Tracker(clock)]
    with pytest.raises(KeyboardInterrupt):
        wait_for(trackers, limits(60, None, well=True), clock, interrupted)
    assert [one.given_up for one in trackers] == [["stopped"], ["stopped"]]
