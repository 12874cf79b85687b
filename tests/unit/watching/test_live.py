"""What ``state.json`` holds is what the events said."""

from __future__ import annotations

import pytest
from told import NLL, Clock, a_run, round_done, seen, stage, started

from evoray.runtime.events import ChildGivenUp, Noted, RoundDone, RunEnded, RunStarted, StageProgress
from evoray.storage.documents import check_document
from evoray.watching.live import NOTES, TOP, Live


def live_after(events, clock=None, seconds=1.0):
    clock = clock or Clock()
    live = Live(clock)
    for event in events:
        live.observe(event)
        clock.now += seconds
    return live


def test_a_run_in_the_middle():
    document = live_after(a_run()).document()
    assert check_document("state.json", document, "here") == document
    assert (document["children"], document["failed"], document["parent_fitness"]) == (4, 1, 0.45)
    assert document["top"] == [
        {"id": "g0000/c0001", "value": 0.3},
        {"id": "g0000/c0003", "value": 0.4},
        {"id": "parent", "value": 0.45},
        {"id": "g0000/c0000", "value": 0.5},
    ]
    assert document["images"] == 500 + 4 * 400 / 8
    stage = document["stage"]
    assert (stage["name"], stage["done"], stage["total"], stage["shards"]) == ("g0001/child", 4, 8, 2)
    assert stage["rate"] == pytest.approx(4 / 5 * 50) and stage["left"] == pytest.approx(4 / (4 / 5))
    assert document["workers"] == {"ready": 2, "starting": 1}
    assert document["generation_s"] == 10.0
    assert document["notes"] == ["checking the parent and the data"] and document["error"] is None


def test_what_is_higher_is_better_ranks_first():
    began = RunStarted("ab", "runs/x", {}, False, "records", NLL | {"higher_is_better": True})
    document = live_after([began, round_done(0, [0.5, 0.3, 0.9], blocks=[0, 1, 1])]).document()
    assert [one["value"] for one in document["top"]] == [0.9, 0.5, 0.3]
    assert document["blocks"] == [
        {"block": 0, "children": 1, "best": 0.5},
        {"block": 1, "children": 2, "best": 0.9},
    ]
    assert document["counted"] == "records"


def test_the_best_of_all_rounds_are_kept_and_no_more():
    rounds = [round_done(number, [1.0 - number / 100 - child / 1000 for child in range(4)]) for number in range(5)]
    document = live_after([started(), *rounds]).document()
    everything = sorted(one.value for done in rounds for one in done.seen)
    assert [one["value"] for one in document["top"]] == everything[:TOP]
    assert document["children"] == 20


def test_candidates_that_all_failed():
    failed = RoundDone(0, "child", 3, 3, None, None, 1.0, seen=seen(0, [None] * 3))
    document = live_after([started(), failed]).document()
    assert (document["children"], document["failed"], document["top"], document["parent_fitness"]) == (3, 3, [], None)


def test_a_resumed_run_does_not_count_what_it_took_from_the_journal():
    replayed = [stage(0, known=10), round_done(0, [0.3], wall_s=0.01)]
    half = [stage(1, known=4), *[StageProgress(1)] * 6, round_done(1, [0.3], wall_s=5.0)]
    fresh = [stage(2), *[StageProgress(1)] * 10, round_done(2, [0.3], wall_s=10.0)]
    assert live_after([started(), *replayed, *half]).document()["generation_s"] is None
    document = live_after([started(), *replayed, *half, *fresh]).document()
    assert document["generation_s"] == 10.0
    assert document["stage"]["done"] == document["stage"]["total"] == 10 and document["stage"]["left"] is None


def test_the_rate_is_that_of_the_last_minute():
    clock = Clock()
    live = live_after([started(), stage(networks=500)], clock, 0.0)
    for seconds in [10.0] * 20 + [1.0] * 100:  # ten times as fast in the end
        clock.now += seconds
        live.observe(StageProgress(1))
    assert live.document()["stage"]["rate"] == pytest.approx(50.0, rel=0.02)


def test_notes_are_the_last_ones_and_a_child_given_up_is_one():
    document = live_after([Noted(str(n)) for n in range(50)] + [ChildGivenUp("g0000/c0001", 3, "memory")]).document()
    assert len(document["notes"]) == NOTES
    assert document["notes"][-2:] == ["49", "g0000/c0001 on shard 3: memory. It ranks last."]


def test_what_stopped_a_run_is_its_last_word():
    document = live_after([*a_run(), RunEnded("ab" * 16, None, "RunError: the disk is full")]).document()
    assert document["error"] == "RunError: the disk is full"
