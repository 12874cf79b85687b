from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from evoray.errors import RunError
from evoray.study.peers import environment, searchers
from evoray.study.peers.arms import Task, read_outcome
from evoray.study.peers.environment import OwnEnvironment


@pytest.fixture
def task(plan, problem, tmp_path):
    return Task(problem, "evotorch-snes", 0.01, plan.sizes, 0.0, tmp_path / "snes.json")


def test_without_uv_it_says_how_to_get_it(task, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match="uv: not found"):
        OwnEnvironment(tmp_path / "log").run(task)


def test_one_that_was_never_asked_is_closed_quietly(tmp_path):
    OwnEnvironment(tmp_path / "log").close()
    assert not (tmp_path / "log").exists()


def test_tasks_are_answered_a_line_each_and_nothing_else_is_said(task, plan, monkeypatch):
    """The process's own loop, with a search of this environment in EvoTorch's place."""

    def loud(trial, setting, seed):
        print("a library talks")
        searchers.own_loop(trial, setting, seed)

    fake = SimpleNamespace(SEARCHES={"snes": loud})
    monkeypatch.setitem(sys.modules, "evoray.study.peers.in_evotorch", fake)
    answers = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO(task.to_json() + "\n"))
    monkeypatch.setattr(sys, "stdout", answers)
    monkeypatch.setattr(sys, "argv", ["environment", "1"])
    environment.main()
    assert answers.getvalue() == "done\n"
    assert read_outcome(task.out, plan.sizes)["arm"] == "evotorch-snes"


@pytest.mark.slow  # the packages are fetched, and half a minute is needed to import them
@pytest.mark.parametrize("arm", ["evotorch-snes", "evotorch-pgpe", "evotorch-cma-es"])
def test_evotorch_searches_in_an_environment_of_its_own(plan, problem, tmp_path, arm):
    apart = OwnEnvironment(tmp_path / "log")
    task = Task(problem, arm, 0.01, plan.sizes, 0.0, tmp_path / f"{arm}.json")
    try:
        apart.run(task)
    finally:
        apart.close()
    found = read_outcome(task.out, plan.sizes)["answers"]["evaluations"]
    assert found["evaluations"] >= 60
    assert "evotorch" not in sys.modules
