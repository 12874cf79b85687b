"""The one loop over evaluations: recorded results first, each evaluation once, given-up items once and for all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from outputs import PulledPlug

from evoray.backends import Outcome
from evoray.backends.base import Work
from evoray.errors import RunError
from evoray.runtime.events import ChildGivenUp, Observers, StageProgress, StageStarted
from evoray.search.session import Session, Tally
from evoray.search.stages import ARRAYS, ROW, Part, Stage, StageKey, run_stage
from evoray.storage.directory import RunDirectory
from evoray.storage.journal import Journal, Records

KEY = StageKey("g0000/child", Part.CHILDREN)
IMAGES = {0: 10, 3: 7}
INPUTS = SimpleNamespace(splits=SimpleNamespace(counted="images"))


@dataclass
class Answers:
    """A backend: item i on shard s is [100 i + s]; ``deadly`` items kill their worker, ``stops`` pulls the plug."""

    deadly: set[tuple[int, int]] = field(default_factory=set)
    stops: int = 10**9
    asked: list[tuple[int, int]] = field(default_factory=list)
    jobs: list = field(default_factory=list)
    work: Work = field(default_factory=Work)

    def run(self, job):
        self.jobs.append(job)
        for shard, items in job.work.items():
            for item in items:
                if len(self.asked) == self.stops:
                    raise PulledPlug
                self.asked.append((item, shard))
                if (item, shard) in self.deadly:
                    yield Outcome(shard, item, failure="out of memory")
                else:
                    yield Outcome(shard, item, np.array([100.0 * item + shard]))


class Seen:
    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)


@pytest.fixture
def open_at(tmp_path):
    """Sessions in one directory, one after the other, each with what the journal knows."""

    def make(backend, seen=None):
        directory = RunDirectory(str(tmp_path / "run"))
        journal = Journal(directory)
        known = journal.read()
        observers = Observers([seen] if seen else [])
        return Session("run", directory, INPUTS, None, None, backend, journal, known, observers, Tally())

    return make


def stage(names, **more):
    return Stage(KEY, names, IMAGES, lambda shard, items: None, ROW, **more)


def collect(session, asked):
    """{(item, shard): value}, and what was given up; the journal is closed on every way out."""
    values, given_up = {}, {}
    try:
        for result in run_stage(session, asked):
            if result.value is None:
                given_up[result.item] = result.reason
            else:
                values[result.item, result.shard] = float(result.value[0])
    finally:
        session.journal.close()
    return values, given_up


def expected(count):
    return {(item, shard): 100.0 * item + shard for item in range(count) for shard in IMAGES}


def test_every_item_on_every_shard_once_and_counted(open_at):
    backend, seen = Answers(), Seen()
    session = open_at(backend, seen)
    assert collect(session, stage(["a", "b", "c"])) == (expected(3), {})
    assert session.tally.images == 3 * 17
    assert list(session.tally.seconds) == ["child"]
    begun = StageStarted("g0000/child", Part.CHILDREN, 6, known=0, shards=2, images=3 * 17)
    assert seen.events == [begun, *[StageProgress(1)] * 6]


@pytest.mark.parametrize("stops", range(7))
def test_resumed_after_any_evaluation_nothing_is_done_twice(open_at, stops):
    first, second = Answers(stops=stops), Answers()
    if stops < 6:
        with pytest.raises(PulledPlug):
            collect(open_at(first), stage(["a", "b", "c"]))
    else:
        collect(open_at(first), stage(["a", "b", "c"]))
    session = open_at(second)
    assert collect(session, stage(["a", "b", "c"])) == (expected(3), {})
    assert sorted(first.asked + second.asked) == sorted(expected(3))
    assert session.tally.images == sum(IMAGES[shard] for _, shard in second.asked)


def test_a_given_up_item_comes_once_and_never_again(open_at):
    deadly, seen = {(1, 0), (1, 3)}, Seen()
    values, given_up = collect(open_at(Answers(deadly), seen), stage(["a", "b"]))
    assert given_up == {1: "shard 0: out of memory"}
    assert values == {key: value for key, value in expected(2).items() if key[0] == 0}
    assert [event for event in seen.events if isinstance(event, ChildGivenUp)] == [
        ChildGivenUp("b", 0, "out of memory")
    ]
    again = Answers()
    assert collect(open_at(again), stage(["a", "b"])) == (values, given_up)
    assert again.asked == []


def test_a_required_item_that_is_given_up_ends_the_run_and_is_tried_again(open_at):
    asked = stage(["parent", "b"], required=frozenset([0]))
    with pytest.raises(RunError, match=r"the parent on shard 3 of select: out of memory\. .*go on with resume=True"):
        collect(open_at(Answers({(0, 3)})), asked)
    assert collect(open_at(Answers()), asked) == (expected(2), {})


def test_wanted_items_alone(open_at):
    values, _ = collect(open_at(Answers()), stage(["a", "b", "c"], wanted=[2, 0]))
    assert values == {key: value for key, value in expected(3).items() if key[0] != 1}


def test_a_record_of_something_else_is_passed_over(open_at):
    """A window of other sigmas has the same stage: its records are neither used nor in the way."""
    collect(open_at(Answers()), stage(["x", "b", "y"]))
    backend = Answers()
    assert collect(open_at(backend), stage(["a", "x"]))[0] == {
        (0, 0): 0.0,
        (0, 3): 3.0,
        (1, 0): 0.0,
        (1, 3): 3.0,
    }
    assert backend.asked == [(0, 0), (0, 3)]


def test_a_record_that_cannot_be_used_is_made_again(open_at):
    collect(open_at(Answers()), stage(["a"]))
    backend = Answers()
    collect(open_at(backend), stage(["a"], accept=lambda shard, value: shard == 3))
    assert backend.asked == [(0, 0)]


def test_stages_do_not_mix(open_at):
    collect(open_at(Answers()), stage(["a"]))
    backend = Answers()
    other = Stage(StageKey("final/uniform", Part.SOUPS), ["a"], IMAGES, lambda shard, items: None, ROW)
    collect(open_at(backend), other)
    assert len(backend.asked) == 2


def test_workers_are_asked_for_what_they_hold(open_at):
    backend = Answers()
    collect(open_at(backend), stage(["a"], held="select[0:10]", shared=("base",)))
    (job,) = backend.jobs
    assert (job.split, job.shared, job.run) == ("select[0:10]", ("base",), "run")


def test_one_list_serves_all_shards_while_nothing_is_known(open_at):
    backend = Answers()
    collect(open_at(backend), stage(["a", "b"]))
    (job,) = backend.jobs
    assert job.work[0] is job.work[3]


@pytest.mark.parametrize(
    ("codec", "value"),
    [(ROW, np.array([1.0, math.nan, -0.0])), (ARRAYS, {"x": np.arange(3), "y": np.zeros((0, 2))})],
    ids=["row", "arrays"],
)
def test_a_codec_gives_back_what_it_was_given(codec, value):
    found = codec.unpack(codec.pack(value))
    if isinstance(value, dict):
        assert {name: (part.dtype, part.tolist()) for name, part in found.items()} == {
            name: (part.dtype, part.tolist()) for name, part in value.items()
        }
    else:
        assert found.tobytes() == value.tobytes()


def test_records_may_be_empty():
    assert list(Records().take("anything")) == []


def test_items_of_a_group_stand_together_and_what_workers_say_is_told_once(open_at):
    backend, seen = Answers(), Seen()
    backend.work.notes.append("nothing is kept")
    session = open_at(backend, seen)
    collect(session, stage(["a", "b", "c", "d"], groups=["late", "early", "late", "early"]))
    collect(session, Stage(StageKey("again", Part.CHILDREN), ["a"], IMAGES, lambda shard, items: None, ROW))
    assert [item for item, shard in backend.asked if shard == 0][:4] == [0, 2, 1, 3]
    assert backend.jobs[0].groups == {0: "late", 1: "early", 2: "late", 3: "early"}
    assert [event.text for event in seen.events if hasattr(event, "text")] == ["nothing is kept"]
