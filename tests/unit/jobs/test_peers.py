"""The command of jobs/README.md that compares EvoRay with its peers, on a few images."""

from __future__ import annotations

import json
import runpy
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from evoray.errors import ConfigError
from evoray.models import small, write_state
from evoray.study.small_parents import Recipe, checkpoint

JOB = Path(__file__).parents[3] / "jobs" / "peers.py"
SMALL = ["--architectures", "resnet", "--seeds", "0", "--select", "40", "--test", "60"]


@pytest.fixture
def out(tmp_path):
    """A folder with a parent that nobody trained."""
    path = checkpoint(tmp_path / "parents", "resnet", 0, "early")
    path.parent.mkdir()
    torch.manual_seed(0)
    write_state(path, small.resnet().model.state_dict())
    path.with_suffix(".json").write_text(json.dumps({"recipe": asdict(Recipe())}))
    return tmp_path


@pytest.fixture
def job(out):
    app = typer.Typer()
    app.command()(runpy.run_path(str(JOB))["main"])

    def call(*more):
        return CliRunner().invoke(app, ["--out", str(out), *SMALL, *more])

    return call


def test_the_command_runs_what_is_meant_writes_tables_and_repeats_nothing(out, job):
    threads = torch.get_num_threads()
    assert job("--only", "*/parent").exit_code == 0
    second = job("--only", "*/temperature")
    assert second.exit_code == 0, second.output
    assert torch.get_num_threads() == threads
    names = {path.stem for path in (out / "arms" / "resnet-0").glob("*.json")}
    assert names == {"parent", "temperature"}
    assert "no search: temperature" in second.output and (out / "peers.md").exists()
    again = job("--only", "*/temperature")
    assert again.exit_code == 0 and "temperature: done" in second.output and "done" not in again.output
    assert (out / "peers.md").read_text() in again.output


def test_other_sizes_in_the_same_folder_are_refused(job):
    assert job("--only", "*/parent").exit_code == 0
    other = job("--only", "*/parent", "--evaluations", "80")
    assert isinstance(other.exception, ConfigError) and "other sizes" in str(other.exception)


def test_tables_alone_run_nothing(out, job):
    assert job("--only", "*/parent").exit_code == 0
    before = sorted((out / "arms").rglob("*"))
    found = job("--tables")
    assert found.exit_code == 0 and sorted((out / "arms").rglob("*")) == before
    assert (out / "peers.md").read_text() in found.output


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--seeds", "x"], "give whole numbers from 0"),
        (["--architectures", "foo"], "architecture 'foo': none of"),
        (["--tables"], "nothing is finished in"),
        (["--out", __file__], "no folder can be made there"),
    ],
)
def test_what_cannot_be_is_one_message(job, asked, told):
    done = job("--only", "*/parent", *asked)
    assert isinstance(done.exception, ConfigError) and told in str(done.exception)
