"""The kernel's lock, and what is said of its holder."""

from __future__ import annotations

import fcntl
import json
import os
import time

import pytest

from evoray.errors import DataError, RunError
from evoray.runtime.lock import holder, holder_of, in_use, one_at_a_time

LOCK = "lock.json"


def test_who_holds_a_lock_says_so_and_leaves_nothing(tmp_path):
    path = tmp_path / LOCK
    assert holder_of(path) is None
    with one_at_a_time(path, "it", DataError):
        said = holder_of(path)
        assert said is not None and (said["pid"], said["host"]) == (os.getpid(), os.uname().nodename)
        assert said["since"].startswith(time.strftime("%Y-"))
        with pytest.raises(RunError, match=f"^it: in use by another program, process {os.getpid()} on"):
            one_at_a_time(path, "it", RunError).__enter__()
    assert not path.exists() and holder_of(path) is None


@pytest.mark.parametrize("who", [{}, {"pid": "\x1b[31m"}, {"host": "x" * 10_000}, {"since": [1], "pid": None}])
def test_whatever_stands_in_the_file_is_said_plainly(who):
    said = in_use("a\x1bplace", who)
    assert "\x1b" not in said and len(said) < 600 and said.endswith("or name another place.")
    assert in_use("it", holder()).count(str(os.getpid())) >= 1


def test_a_lock_taken_over_between_opening_and_locking_is_noticed(tmp_path, monkeypatch):
    path, real, once = tmp_path / LOCK, fcntl.flock, []

    def flock(descriptor, how):
        if not once:  # its holder ends just now, and a third program makes a file of its own
            once.append(1)
            path.unlink()
            path.write_text("{}")
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with one_at_a_time(path, "it", DataError):
        assert json.loads(path.read_bytes())["pid"] == os.getpid()


def test_a_file_system_without_locks_goes_on_without(tmp_path, monkeypatch):
    def flock(descriptor, how):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with one_at_a_time(tmp_path / LOCK, "it", DataError):
        assert holder_of(tmp_path / LOCK) is None
