"""A run's events on their way to its trackers."""

from __future__ import annotations

from pathlib import Path

import pytest

from evoray.config.tracking import TrackingConfig
from evoray.runtime.events import Noted, Observers, RoundDone, RunEnded, RunStarted, WorkersChanged
from evoray.storage.directory import RunDirectory
from evoray.tracking import observer as module
from evoray.tracking.observer import tracked

HERE = Path(__file__).parent
CONFIG = {"seed": 3, "tracking": {"to": ["x"]}}


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(str(tmp_path / "run"))


def tell(run, notes, to, error=None, **settings):
    config = TrackingConfig(to=to, patience=30, **settings)
    with tracked(config, run, HERE, notes.append) as observers:
        told = Observers(observers)
        told.emit(RunStarted("abc", run.location, CONFIG, False))
        told.emit(WorkersChanged({"ready": 2, "starting": 1}))
        for number in range(2):
            told.emit(Noted("nothing to a tracker"))
            told.emit(RoundDone(number, "child", 8, 0, -1.0, -2.0, 0.5))
        told.emit(RunEnded("abc", None, error))


def test_beginning_rounds_and_end_arrive_with_the_workers(directory, tmp_path, told):
    notes = []
    tell(directory, notes, ["fakes:Keeps"], "stopped", directory=str(tmp_path / "out"))
    assert told()[0]["config"] == {"seed": 3}, "where a run is tracked is none of its settings"
    assert [line["round"] for line in told()[1:3]] == [1, 2]
    assert told()[2]["figures"]["workers"] == 2
    assert told()[2]["figures"]["generation"] == 1
    assert told()[3]["error"] == "stopped"
    assert notes == [f"tracking: fakes:Keeps: {tmp_path / 'out' / 'told'}"]


def test_what_was_missed_is_said_with_the_remedy(directory):
    notes = []
    tell(directory, notes, ["fakes:Raises"], "stopped")
    assert notes[0].startswith("tracking: fakes:Raises was not told everything (ConnectionError: the server is away)")
    assert f"evoray.tracking.replay('{directory.location}')" in notes[0]


def test_without_trackers_nothing_is_done(directory):
    with tracked(TrackingConfig(), directory, None, pytest.fail) as observers:
        assert observers == ()
    assert not directory.exists("tracking.json")


class Silent:
    """In place of a tracker's process."""

    made = ()

    def __init__(self, name, begin, state):
        self.begin = begin["beginning"]["settings"]
        Silent.made = (*Silent.made, self)

    def start(self): ...

    def tell(self, request): ...


@pytest.mark.parametrize(
    ("location", "settings", "name", "folder"),
    [
        ("{tmp}/runs/first", {}, "first", "{tmp}/runs/first/tracking"),
        ("{tmp}/runs/first/", {"name": "mine"}, "mine", "{tmp}/runs/first/tracking"),
        ("{tmp}/runs/first", {"directory": "{tmp}/all"}, "first", "{tmp}/all"),
        ("mock://bucket/first", {}, "first", "{tmp}/evoray-tracking/first"),
    ],
)
def test_where_files_lie_and_what_a_run_is_called(tmp_path, monkeypatch, location, settings, name, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "Feeder", Silent)
    Silent.made = ()
    directory = RunDirectory(location.format(tmp=tmp_path).replace("mock://", "file:///"))
    directory.is_local = not location.startswith("mock")
    settings = {key: value.format(tmp=tmp_path) for key, value in settings.items()}
    trackers = module.Trackers(TrackingConfig(to=["wandb"], **settings), directory)
    trackers.begin("abc", CONFIG)
    begun = Silent.made[0].begin
    assert (begun["name"], begun["directory"]) == (name, folder.format(tmp=tmp_path))
    assert begun["shared"] == ("directory" in settings)
