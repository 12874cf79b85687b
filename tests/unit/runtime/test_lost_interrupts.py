"""Ctrl-C in a callback from which no exception comes out."""

from __future__ import annotations

import os
import signal
import sys
import threading
import weakref

import pytest

from evoray import evolve
from evoray.runtime.events import StageProgress
from evoray.runtime.origin import interrupts_kept


@pytest.fixture(autouse=True)
def taken():
    """As at a terminal: what a shell starts in its background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Dropped:
    pass


def lose():
    """Presses Ctrl-C inside a callback of a weak reference."""

    def callback(_):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
        raise AssertionError("the interrupt did not come up here")

    dropped = Dropped()
    held = weakref.ref(dropped, callback)
    del dropped
    assert held() is None


def wait():
    threading.Event().wait(30)


@interrupts_kept()
def lose_and_wait():
    lose()
    wait()


@interrupts_kept()
def lose_twice_and_wait():
    lose()
    dropped = Dropped()
    held = weakref.ref(dropped, lambda _: wait())
    del dropped
    assert held() is None
    wait()


@pytest.mark.parametrize("losing", [lose_and_wait, lose_twice_and_wait])
def test_it_comes_up_a_moment_later_and_all_is_as_before(losing, capsys):
    hook, handler = sys.unraisablehook, signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        losing()
    assert (sys.unraisablehook, signal.getsignal(signal.SIGINT)) == (hook, handler)
    assert "Exception ignored" not in capsys.readouterr().err


def test_other_exceptions_and_other_threads_are_left_alone(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    mine = sys.unraisablehook

    def fails(_):
        raise ValueError("of a callback")

    def raises(_):
        raise KeyboardInterrupt  # by itself: nobody pressed a key

    with interrupts_kept():
        for callback in (fails, raises):
            dropped = Dropped()
            held = weakref.ref(dropped, callback)
            del dropped
            assert held() is None
        assert [one.exc_type for one in told] == [ValueError, KeyboardInterrupt]
        assert sys.unraisablehook is not mine
    assert sys.unraisablehook is mine

    def elsewhere():
        with interrupts_kept():
            told.append(sys.unraisablehook)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert told[-1] is mine


def test_a_run_is_stopped_by_one_that_was_lost(tmp_path):
    class Losing:
        def __init__(self):
            self.lost = False

        def observe(self, event):
            if isinstance(event, StageProgress) and not self.lost:
                self.lost = True
                lose()
                wait()

    config = {
        "parent": {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"},
        "data": {"path": "mnist5k", "select": 0.01, "test": 0.01},
        "search": {"children": 3},
        "compute": {"backend": "local", "workers": 1, "device": "cpu", "dtype": "float32"},
    }
    with pytest.raises(KeyboardInterrupt):
        evolve(config, tmp_path / "run", observers=[Losing()], page=False)
    assert not (tmp_path / "run/summary.json").exists()
