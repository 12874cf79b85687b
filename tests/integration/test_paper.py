"""``jobs/paper.py`` as a user runs it: the whole study on packaged images, stopped and gone on with."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest

from evoray.study import all_tables, cases, load_study, run_study

PAPER = Path(__file__).parents[2] / "jobs" / "paper.py"
ONE_CASE = [
    "seeds=[0]",
    "parents=['parents/resnet.toml']",
    "sparse=[{parts=4, sigma=[0.05]}]",
    "dense.sigma=[0.02]",
]


@pytest.fixture
def paper(study_file, monkeypatch, capsys):
    """Runs ``jobs/paper.py`` in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        overrides = [part for override in ONE_CASE for part in ("--set", override)]
        command = [PAPER, study_file, "--out", study_file.parent / "out", *overrides, *arguments]
        monkeypatch.setattr(sys, "argv", list(map(str, command)))
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(PAPER), run_name="__main__")
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


def test_one_command_ends_in_one_table_and_runs_nothing_twice(study_file, paper):
    code, shown, errors = paper()
    assert code == 0, errors
    assert "In short" in shown and "all tables:" in shown
    out = study_file.parent / "out"
    document = json.loads((out / "study.json").read_text())
    titles = [one["title"] for one in document["tables"]]
    assert "One generation: dense against sparse" in titles and "2 generations" in titles
    runs = sorted(out.rglob("summary.json"))
    assert len(runs) == 2 + 3
    stamps = [path.stat().st_mtime_ns for path in runs]
    code, shown, _ = paper("--json")
    assert code == 0 and json.loads(shown)["runs"] == 5
    assert [path.stat().st_mtime_ns for path in runs] == stamps


def test_a_study_that_was_stopped_goes_on_to_the_same_tables(study_file):
    study, folder = load_study(study_file, ONE_CASE), study_file.parent
    whole = list(run_study(study, folder, str(folder / "whole")))[-1]
    stopped = folder / "stopped"
    # as a kill leaves it: some runs finished, the others begun, one of them with half its journal
    shutil.copytree(folder / "whole", stopped)
    for path in sorted(stopped.rglob("summary.json"))[1:]:
        path.unlink()
    half = sorted(stopped.rglob("journal/*.arrow"))[-1]
    half.unlink()
    resumed = list(run_study(study, folder, str(stopped)))[-1]
    assert [grid.rows for grid in all_tables(resumed)[:-2]] == [grid.rows for grid in all_tables(whole)[:-2]]


def test_a_run_from_before_a_key_existed_is_of_the_same_study(study_file):
    study, folder = load_study(study_file, ONE_CASE), study_file.parent
    first = list(run_study(study, folder, str(folder / "out")))[-1]
    path = sorted((folder / "out").rglob("one/*/config.json"))[0]
    stored = json.loads(path.read_text())
    del stored["search"]["racing"], stored["data"]["test_path"]
    path.write_text(json.dumps(stored))
    again = list(run_study(study, folder, str(folder / "out"), dry=True))[-1]
    assert [one.fitness for one in again] == [one.fitness for one in first]


def test_runs_of_another_study_are_refused(study_file, paper):
    case = next(cases(load_study(study_file, ONE_CASE), study_file.parent))
    begun = study_file.parent / "out" / case.grid()[0].directory
    begun.mkdir(parents=True)
    (begun / "config.json").write_text(json.dumps(case.grid()[0].config.model_dump(mode="json")))
    code, _, errors = paper("--set", "children=5")
    assert code == 2 and "another study" in errors and "search" in errors
    code, _, errors = paper("--only", "vit/*")
    assert code == 2 and "matches no case" in errors
