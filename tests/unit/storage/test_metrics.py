"""``metrics.jsonl`` holds a line a round as soon as the round is done."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evoray.errors import UsageError
from evoray.runtime.events import Noted, Observers, RoundDone, RunEnded
from evoray.storage.directory import RunDirectory
from evoray.storage.metrics import FILE, MetricsFile, read_rounds


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
    directory.remove(FILE)
    (tmp_path / FILE).mkdir()
    observers.emit(second)  # the last round, while nothing fits
    (tmp_path / FILE).rmdir()
    observers.emit(RunEnded("run", "No improvement shown."))
    assert len(directory.read(FILE).splitlines()) == 3


def test_rounds_are_read_back_and_those_of_older_runs(tmp_path):
    directory = RunDirectory(str(tmp_path))
    assert read_rounds(directory) == []
    told = [*rounds(2), replace(rounds(1)[0], figures={"best": {"nll": 0.2, "auc": None}, "mean": {"nll": 0.3}})]
    observers = Observers([MetricsFile(directory)])
    for done in told:
        observers.emit(done)
    assert read_rounds(directory) == [done.to_dict() for done in told]
    assert "figures" not in read_rounds(directory)[0], "as older runs' lines are"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line 2"),
        (b"[]", "line 2"),
        (b'{"generation": 0}', "line 2: damaged (kind"),
        (b"\xff", "line 2"),
        (json.dumps(rounds(1)[0].to_dict() | {"wall_s": "1"}).encode(), "wall_s"),
        (json.dumps(rounds(1)[0].to_dict() | {"figures": {"best": 3}}).encode(), "figures.best"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, said):
    directory = RunDirectory(str(tmp_path))
    directory.write(FILE, json.dumps(rounds(1)[0].to_dict()).encode() + b"\n" + line + b"\n")
    with pytest.raises(UsageError) as refused:
        read_rounds(directory)
    assert said in str(refused.value)
