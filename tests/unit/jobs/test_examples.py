"""Each example runs by the commands that its page shows, in its small form, on real images."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from readme import FOLDER, PAGE, call, commands, in_small_form, section

from evoray.config import load_config

EXAMPLES = ("imbalance", "costs", "task", "reward")
FITNESS = {"imbalance": "macro-f1", "costs": "cost", "task": "off", "reward": "reward"}


@pytest.fixture
def folder(request, tmp_path, monkeypatch):
    """A copy of an example's folder, to work in."""
    found = tmp_path / request.param
    shutil.copytree(FOLDER / request.param, found, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(found)
    return found


@pytest.mark.parametrize("folder", EXAMPLES, indirect=True)
def test_an_example_runs_in_its_small_form(folder, evoray, parent_file, monkeypatch):
    monkeypatch.setattr("evoray.demo.train_parent", lambda seed, path: shutil.copy(parent_file, path))  # trained so
    if folder.name != "task":  # figures take longer than all else: one page has them here, each where its page is whole
        monkeypatch.setattr("evoray.report.page._figures", lambda run, window: [])
    ran(folder, in_small_form(folder.name), evoray)


@pytest.mark.slow
@pytest.mark.parametrize("folder", EXAMPLES[:-1], indirect=True)  # the last takes a checkpoint of 540 MB
def test_an_example_comes_to_what_its_page_says(folder, evoray):
    summary = ran(folder, commands(folder.name), evoray)
    said = "No improvement shown" not in section(folder.name)
    assert summary["verdict"].startswith("Improvement" if said else "No improvement")


def ran(folder, lines, evoray):
    """The summary of a run by these commands."""
    for line in lines:
        printed = call(line, evoray)
    (run,) = (folder / "runs").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["fitness"] == FITNESS[folder.name]
    assert set(summary["rebuilt"].values()) == {"same"}
    assert summary["verdict"].split(".")[0] in " ".join(printed.split())
    assert (run / "report.html").is_file()
    return summary


@pytest.mark.parametrize("name", [*EXAMPLES, "cluster"])
def test_what_the_page_names_is_there(name):
    assert load_config(FOLDER / name / "run.toml").compute.backend == ("ray" if name == "cluster" else "local")
    named = re.findall(r"`(\w+\.(?:py|toml|txt))`", section(name))
    assert {"have.py", "run.toml"} <= {one.name for one in (FOLDER / name).iterdir()}
    assert all((FOLDER / name / one).is_file() for one in named)
    assert any(line.startswith("uv run evoray run run.toml") for line in commands(name))


def test_lines_that_are_yours_are_as_many_as_the_page_says():
    for name, said in re.findall(r"\((\w+)/\) \| (.*?) \|", PAGE.partition("\n## ")[0]):
        for file, count in re.findall(r"`([\w.]+)`,? (\d+) lines", said):
            assert len((FOLDER / name / file).read_text().splitlines()) == int(count), (name, file)
            assert int(count) <= 40


@pytest.mark.parametrize(("right", "answer"), [(1.0, "It is 1,204."), (0.0, "1204 or 7"), (0.0, "")])
def test_the_reward_takes_the_last_number(right, answer):
    found: dict = {}
    exec((FOLDER / "reward" / "rewards.py").read_text(), found)
    assert found["exact"]("", answer, {"answer": "1204"}) == right


def test_the_costs_are_those_that_the_page_says():
    rows = [
        [float(one) for one in line.split(",")] for line in (FOLDER / "costs" / "costs.txt").read_text().splitlines()
    ]
    for true, row in enumerate(rows):
        assert row == [pytest.approx(answer - true if answer > true else (true - answer) / 5) for answer in range(10)]
