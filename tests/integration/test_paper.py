"""``jobs/paper.py`` as a user runs it: the whole study on packaged images, stopped and gone on with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evoray.errors import UsageError
from evoray.study import all_tables, load_study, run_study

PAPER = Path(__file__).parents[2] / "jobs" / "paper.py"
ONE_CASE = [
    "seeds=[0]",
    "parents=['parents/resnet.toml']",
    "sparse=[{parts=4, sigma=[0.05]}]",
    "dense.sigma=[0.02]",
]


def paper(study_file, *arguments):
    command = [sys.executable, PAPER, study_file, "--out", study_file.parent / "out", *arguments]
    command += [part for override in ONE_CASE for part in ("--set", override)]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=study_file.parent)


def test_one_command_ends_in_one_table_and_runs_nothing_twice(study_file):
    first = paper(study_file)
    assert first.returncode == 0, first.stderr
    assert "In short" in first.stdout and "Shown better" in first.stdout.replace("\n", " ")
    out = study_file.parent / "out"
    document = json.loads((out / "study.json").read_text())
    titles = [one["title"] for one in document["tables"]]
    assert "One generation: dense against sparse" in titles and "2 generations" in titles
    runs = sorted(out.rglob("summary.json"))
    assert len(runs) == 2 + 3
    stamps = [path.stat().st_mtime_ns for path in runs]
    again = paper(study_file, "--json")
    assert again.returncode == 0 and json.loads(again.stdout)["runs"] == 5
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


def test_runs_of_another_study_are_refused(study_file):
    study, folder = load_study(study_file, ONE_CASE), study_file.parent
    list(run_study(study, folder, str(folder / "out")))
    other = load_study(study_file, [*ONE_CASE, "children=5"])
    with pytest.raises(UsageError, match=r"another study.*search"):
        list(run_study(other, folder, str(folder / "out")))
    bad = paper(study_file, "--only", "vit/*")
    assert bad.returncode == 2 and "matches no case" in bad.stderr and "Traceback" not in bad.stderr
