"""A run is looked at until it ends, and a lease that nobody renews is the end of one."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from told import CONFIG, IDENTITY, Clock, live

import evoray
from evoray.storage.directory import RunDirectory
from evoray.storage.lock import LEASE_S, LOCK, claimed
from evoray.watching.watch import looks, watch


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(str(tmp_path))
    directory.write_json("config.json", CONFIG)
    directory.write_json("journal/identity.json", IDENTITY)
    directory.write_json("state.json", live().document())
    return directory


def test_until_it_ends(directory, monkeypatch):
    held = claimed(directory)
    held.__enter__()
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            held.__exit__(None, None, None)

    assert [view.state for view in looks(directory, 7.0, pause)] == ["running", "running", "stopped"]
    assert pauses == [7.0, 7.0]


@pytest.mark.parametrize("renewing", [True, False])
def test_a_lease_in_a_store_that_is_not_renewed(tmp_path, renewing, monkeypatch):
    monkeypatch.setattr("evoray.storage.lock.holder_of", lambda path: directory.read_json(LOCK))
    directory = RunDirectory(str(tmp_path))
    lease = {"host": "elsewhere", "pid": 1, "since": "then", "token": "x", "renewed": 0}
    directory.write_json("config.json", CONFIG)
    directory.write_json("journal/identity.json", IDENTITY)
    directory.write_json(LOCK, lease)
    clock = Clock()

    def pause(seconds):
        clock.now += seconds
        if renewing:
            directory.write_json(LOCK, lease | {"renewed": clock.now})

    states = [view.state for view, _ in zip(looks(directory, 10.0, pause, clock), range(10), strict=False)]
    assert states == (["running"] * 10 if renewing else ["running"] * int(LEASE_S / 10 + 1) + ["stopped"])


def test_as_a_library_function(directory, capsys):
    assert evoray.watch is watch
    last = evoray.watch(directory.location)
    assert last.state == "stopped" and last.top[0][0] == "g0000/c0001"
    assert capsys.readouterr().out.startswith("stopped; generation 2 of 3: ")
    seen = []
    watch(directory.location, show=seen.append)
    assert [view.state for view in seen] == ["stopped"]


def test_in_a_notebook_a_cell_shows_it(directory, monkeypatch, capsys):
    drawn = []
    monkeypatch.setattr("evoray.watching.notebook.shown_in_cell", lambda: drawn.append)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    evoray.watch(directory.location)
    assert len(drawn) == 1 and "stopped: generation 2 of 3" in drawn[0] and capsys.readouterr().out == ""
