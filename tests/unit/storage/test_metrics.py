"""``metrics.jsonl`` holds a line a round as soon as the round is done."""

from __future__ import annotations

import json

from evoray.runtime.events import Noted, Observers, RoundDone
from evoray.storage.directory import RunDirectory
from evoray.storage.metrics import FILE, MetricsFile


def rounds(count):
    return [RoundDone(number, "child", 8, 0, -1.0, -2.0, 0.5) for number in range(count)]


def test_a_line_a_round_at_once(tmp_path):
    directory = RunDirectory(str(tmp_path))
    observers = Observers([MetricsFile(directory)])
    observers.emit(Noted("no round"))
    assert not directory.exists(FILE)
    for number, done in enumerate(rounds(3)):
        observers.emit(done)
        lines = [json.loads(line) for line in directory.read(FILE).splitlines()]
        assert [line["generation"] for line in lines] == list(range(number + 1))


def test_a_resumed_run_tells_its_rounds_again_and_the_file_holds_each_once(tmp_path):
    directory = RunDirectory(str(tmp_path))
    for told in (rounds(2), rounds(3)):
        observers = Observers([MetricsFile(directory)])
        for done in told:
            observers.emit(done)
    assert len(directory.read(FILE).splitlines()) == 3


def test_a_disk_that_is_full_stops_no_run_and_nothing_is_missing_later(tmp_path):
    directory = RunDirectory(str(tmp_path))
    observers = Observers([MetricsFile(directory)])
    first, second = rounds(2)
    (tmp_path / FILE).mkdir()  # nothing can take its place
    observers.emit(first)
    (tmp_path / FILE).rmdir()
    observers.emit(second)
    assert len(directory.read(FILE).splitlines()) == 2
