"""The local backend shares its user's process: what it sets there, and that it is as before afterwards."""

from __future__ import annotations

import os
import threading
from contextlib import closing, nullcontext
from dataclasses import dataclass

import pytest
import torch

from evoray.backends.base import Bulk, Job, WorkerState
from evoray.backends.local import LocalBackend
from evoray.config import ComputeConfig
from evoray.evaluation.settings import process_settings


@dataclass(frozen=True)
class Source(WorkerState):
    """Builds itself. ``deterministic``: set the process as for a GPU; it needs none for that."""

    threads: int | None = 1
    deterministic: bool | None = True
    fails: bool = False
    device, paths = "cpu", ()

    @property
    def key(self):
        return repr(self)

    def settings(self):
        return nullcontext() if self.deterministic is None else process_settings(self.deterministic)

    def build(self, bulk):
        if self.fails:
            raise ZeroDivisionError("of the source")
        return self


@dataclass(frozen=True)
class SeenUnit:
    """Its value is what it finds set."""

    shard: int
    items: tuple[int, ...]

    def run(self, state):
        return [seen()] * len(self.items)


def seen():
    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "benchmark": torch.backends.cudnn.benchmark,
        "cudnn": torch.backends.cudnn.allow_tf32,
        "matmul": torch.backends.cuda.matmul.allow_tf32,
        "precision": torch.get_float32_matmul_precision(),
        "workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


WANTED = {
    "threads": 1,
    "deterministic": True,
    "warn_only": False,
    "fill": False,
    "benchmark": False,
    "cudnn": False,
    "matmul": False,
    "precision": "highest",
    "workspace": ":4096:8",
}


def units_see(backend):
    found = [outcome.value for outcome in backend.run(Job({0: range(3), 1: range(3)}, SeenUnit))]
    assert len(found) == 6
    assert all(one == found[0] for one in found)
    return found[0]


def on_a_new_thread(ask):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


def opened(source, workers=2):
    backend = LocalBackend(ComputeConfig(backend="local", workers=workers))
    backend.open(source, Bulk())
    return closing(backend)


@pytest.fixture(params=["as PyTorch is", "changed by the caller"])
def before(request, monkeypatch):
    """What the caller has set, undone after the test."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    if request.param == "changed by the caller":
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
        torch.set_num_threads(3)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("medium")
    yield seen()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    torch.set_float32_matmul_precision(precision)


def test_units_find_what_the_source_wants_and_the_caller_what_was_there(before):
    with opened(Source()) as backend:
        workspace = before["workspace"] or ":4096:8"
        assert units_see(backend) == WANTED | {"workspace": workspace}, "one that the caller has chosen stays"
        assert torch.get_num_threads() == before["threads"], "the caller's own threads keep their number"
        assert on_a_new_thread(torch.get_num_threads) == before["threads"], "also those that begin meanwhile"
        backend.open(Source(threads=2), Bulk())
        assert units_see(backend)["threads"] == 2
    assert seen() == before
    assert on_a_new_thread(seen) == before


def test_an_open_that_fails_leaves_nothing_behind(before):
    backend, threads = LocalBackend(ComputeConfig(backend="local", workers=2)), threading.active_count()
    with pytest.raises(ZeroDivisionError):
        backend.open(Source(fails=True), Bulk())
    assert seen() == before
    assert threading.active_count() == threads
    with closing(backend):
        backend.open(Source(), Bulk())
        assert units_see(backend)["threads"] == 1


@pytest.mark.parametrize("first_closed", [0, 1])
def test_two_at_once(before, first_closed):
    with opened(Source(threads=1), 1) as one, opened(Source(threads=2), 1) as other:
        assert (units_see(one)["threads"], units_see(other)["threads"]) == (1, 2)
        (closed, left), threads = ((one, other), 2) if first_closed == 0 else ((other, one), 1)
        closed.close()
        found = units_see(left)
        assert (found["threads"], found["deterministic"], found["fill"]) == (threads, True, False)
    assert seen() == before


def test_a_source_that_needs_nothing_set_changes_nothing(before):
    with opened(Source(threads=None, deterministic=None)) as backend:
        assert units_see(backend).keys() == before.keys()
        assert seen() == before
    assert seen() == before
