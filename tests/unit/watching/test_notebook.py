"""In a notebook a cell shows the run; elsewhere nothing asks for IPython."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from told import Clock, a_run, round_done

from evoray.runtime.events import RunEnded, StageProgress
from evoray.watching.notebook import EVERY_S, Cell, in_notebook, shown_in_cell


@pytest.mark.parametrize(
    ("shell", "there"), [(None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=object()), True)]
)
def test_a_kernel_is_a_notebook_and_a_terminal_is_none(monkeypatch, shell, there):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() is there


def test_without_ipython(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    assert "IPython" not in sys.modules


def test_one_output_is_drawn_anew(monkeypatch):
    updates = []
    handle = SimpleNamespace(update=updates.append)
    shown = []
    monkeypatch.setitem(
        sys.modules,
        "IPython.display",
        SimpleNamespace(HTML=str, display=lambda what, display_id: shown.append((what, display_id)) or handle),
    )
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=sys.modules["IPython.display"]))
    show = shown_in_cell()
    show("<p>1</p>")
    show("<p>2</p>")
    assert shown == [("", True)] and updates == ["<p>1</p>", "<p>2</p>"]


def test_rounds_at_once_and_steps_seldom():
    drawn, clock = [], Clock()
    cell = Cell(drawn.append, clock)
    for event in a_run():
        cell.observe(event)
    first = len(drawn)
    assert 1 <= first <= 3 and "g0000/c0001" in drawn[-1]
    for _ in range(100):
        cell.observe(StageProgress(1))
    assert len(drawn) == first
    clock.now += EVERY_S
    cell.observe(StageProgress(1))
    cell.observe(round_done(1, [0.2]))
    cell.observe(RunEnded("ab" * 16, "better"))
    assert len(drawn) == first + 3 and "0.2000" in drawn[-1] and '<p class="verdict">better</p>' in drawn[-1]


def test_a_run_that_failed_says_so():
    drawn = []
    cell = Cell(drawn.append)
    for event in (*a_run(), RunEnded("ab" * 16, None, "RunError: no room")):
        cell.observe(event)
    assert "failed: RunError: no room" in drawn[-1]
