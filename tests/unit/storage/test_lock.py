"""One program at a time in a run directory, on a disk and in an object store."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from evoray.errors import RunError, UsageError
from evoray.runtime.lock import holder_of
from evoray.storage import lock
from evoray.storage.directory import RunDirectory
from evoray.storage.lock import LOCK, check_free, check_makeable, claimed


def _begin(path, barrier, results):
    barrier.wait()
    try:
        with claimed(RunDirectory(path)):
            results.put("won")
            barrier.wait()
    except UsageError as error:
        results.put(str(error))
        barrier.wait()


def test_of_two_that_begin_at_once_exactly_one_wins(tmp_path):
    context = multiprocessing.get_context("fork")
    for number in range(5):
        barrier, results = context.Barrier(3), context.Queue()
        path = str(tmp_path / f"run{number}")
        both = [context.Process(target=_begin, args=(path, barrier, results)) for _ in range(3)]
        for one in both:
            one.start()
        found = sorted(results.get(timeout=30) for _ in both)
        for one in both:
            one.join()
        assert found.count("won") == 1 and all("in use by another program" in one for one in found if one != "won")
        assert not os.path.exists(path) or os.listdir(path) == []


def test_two_threads_are_two_programs(tmp_path):
    with claimed(RunDirectory(str(tmp_path))):
        with pytest.raises(UsageError, match=f"process {os.getpid()}"), claimed(RunDirectory(str(tmp_path))):
            pass
        with pytest.raises(UsageError, match=f"process {os.getpid()}"):
            check_free(RunDirectory(str(tmp_path)))
    check_free(RunDirectory(str(tmp_path)))
    with claimed(RunDirectory(str(tmp_path))):
        assert os.listdir(tmp_path) == [LOCK]
    assert os.listdir(tmp_path) == []


def test_a_lock_goes_however_its_holder_ends(tmp_path):
    for error in (KeyboardInterrupt, RunError("x"), SystemExit):
        with pytest.raises(BaseException), claimed(RunDirectory(str(tmp_path))):  # noqa: B017
            raise error
        check_free(RunDirectory(str(tmp_path)))


class Store(RunDirectory):
    """An object store as far as a lease asks: nothing is the kernel's."""

    def __init__(self, location):
        super().__init__(location)
        self.is_local = False

    def write_json(self, name, value):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(f"{path}.new", "w") as file:
            json.dump(value, file)
        os.replace(f"{path}.new", path)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "SETTLE_S", 0.01)
    monkeypatch.setattr(lock, "LEASE_S", 0.4)
    monkeypatch.setattr(lock, "RENEW_S", 0.05)
    return Store(str(tmp_path / "bucket"))


def test_a_lease_is_renewed_and_the_second_is_refused(store, tmp_path):
    with claimed(store), pytest.raises(UsageError, match=f"process {os.getpid()}"), claimed(Store(store.location)):
        pass
    assert not (tmp_path / "bucket" / LOCK).exists()


@pytest.mark.parametrize(("host", "waits"), [("another", True), (os.uname().nodename, False)])
def test_a_lease_of_a_dead_program_is_taken(store, host, waits):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    store.write_json(LOCK, {"host": host, "pid": child.pid, "since": "then", "token": "x", "renewed": 7})
    notes = []
    with claimed(store, notes.append):
        assert store.read_json(LOCK)["pid"] == os.getpid()
    assert bool(notes) == waits


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"pid": -1}', b'{"pid": "x", "host": 3}'])
def test_a_lease_that_is_none_is_taken(store, tmp_path, content):
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / LOCK).write_bytes(content)
    with claimed(store):
        assert store.read_json(LOCK)["pid"] == os.getpid()


def test_the_later_of_two_leases_counts(store, monkeypatch):
    real = time.sleep

    def another_writes(seconds):
        store.write_json(LOCK, {"host": "far", "pid": 7, "since": "now", "token": "other", "renewed": 0})
        real(0)

    monkeypatch.setattr(lock.time, "sleep", another_writes)
    with pytest.raises(UsageError, match="process 7 on far since now"), claimed(store):
        pass


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{" * 10_000, b'{"pid": "\\u001b[31m", "host": [1]}', b"x" * 10**6]
)
def test_what_stands_in_a_lock_is_shown_plainly(tmp_path, content):
    path = tmp_path / LOCK
    path.write_bytes(content)
    assert holder_of(path) is None
    with open(path, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with (
            pytest.raises(UsageError, match="in use by another program") as found,
            claimed(RunDirectory(str(tmp_path))),
        ):
            pass
    assert "\x1b" not in str(found.value) and len(str(found.value)) < 1000


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "loop"])
def test_a_lock_that_is_no_file(tmp_path, kind):
    path = tmp_path / "run" / LOCK
    path.parent.mkdir()
    {
        "folder": lambda: path.mkdir(),
        "pipe": lambda: os.mkfifo(path),
        "link": lambda: path.symlink_to(tmp_path / "victim"),
        "loop": lambda: path.symlink_to(LOCK),
    }[kind]()
    with pytest.raises(UsageError, match=LOCK), claimed(RunDirectory(str(path.parent))):
        pass
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("where", ["file", "file/below", "/dev/null/x", "loop/x"])
def test_where_no_directory_can_be_made(tmp_path, where):
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="is no folder"):
        check_makeable(RunDirectory(str(tmp_path / where)))
    check_makeable(RunDirectory(str(tmp_path / "new" / "below")))
    assert not (tmp_path / "new").exists()


def test_what_a_killed_program_was_writing_goes(tmp_path):
    run = tmp_path / "run"
    (run / "journal").mkdir(parents=True)
    for name in ("journal/00000000-cc0ab13b536dd77e.arrow.f704ae63.part", "config.json.00000000.part", "own.part"):
        (run / name).write_bytes(b"half")
    with claimed(RunDirectory(str(run))):
        assert sorted(one.name for one in run.rglob("*.part")) == ["own.part"]


@pytest.mark.parametrize(
    ("folder", "name"), [("films", "film.mkv.0f3a9c1d.part"), ("journal", "film.mkv.Ab3zQ91x.part")]
)
def test_a_browsers_half_written_file_stays(tmp_path, folder, name):
    """Firefox's look the same: in a folder that is no run's, and of other letters anywhere, they are not ours."""
    (tmp_path / "run" / folder).mkdir(parents=True)
    (tmp_path / "run" / folder / name).write_bytes(b"half")
    with claimed(RunDirectory(str(tmp_path / "run"))):
        assert (tmp_path / "run" / folder / name).exists()


def test_a_directory_that_is_away_is_not_made_anew(tmp_path):
    """What was written to another in its place would be lost when the disk is back, and the run would not know."""
    run, away = tmp_path / "run", tmp_path / "away"
    directory = RunDirectory(str(run))
    with claimed(directory):
        directory.write("lineage/g0000/one.json", b"1")
        run.rename(away)
        for name in ("summary.json", "lineage/g0000/two.json", "journal/3"):
            with pytest.raises(RunError, match="cannot be written"):
                directory.write(name, b"2")
        assert not run.exists()
        away.rename(run)
        directory.write("lineage/g0001/two.json", b"2")
    assert sorted(one.name for one in run.rglob("*.json")) == ["one.json", "two.json"]
