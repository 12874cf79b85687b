from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from evoray import evolution
from evoray.commands import job
from evoray.errors import RunError, UsageError
from evoray.storage.directory import RunDirectory


@pytest.fixture
def evolved(monkeypatch, summary, population, tmp_path):
    asked = []

    def evolve(config, out, **options):
        asked.append(SimpleNamespace(config=config, out=out, **options))
        return SimpleNamespace(summary=summary, population=population, directory=RunDirectory(str(tmp_path)))

    monkeypatch.setattr(evolution, "evolve", evolve)
    return asked


def call(*arguments):
    result = CliRunner().invoke(job.app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(("flag", "resume"), [((), False), (("--resume",), True), (("--restartable",), "auto")])
def test_a_job_begins_goes_on_or_does_what_it_finds(flag, resume, evolved, config_file):
    shown = call(config_file, "--out", "s3://bucket/run", "--set", "seed=4", *flag)
    (asked,) = evolved
    assert (asked.out, asked.resume, asked.config.seed) == ("s3://bucket/run", resume, 4)
    assert asked.config_dir == config_file.parent.resolve()
    assert "Ensemble of 8" in shown.stdout, "the log ends with the tables"


def test_both_ways_of_going_on_are_one_too_many(evolved, config_file):
    with pytest.raises(UsageError, match="give one of them"):
        call(config_file, "--out", "s3://b/r", "--resume", "--restartable")


def test_the_users_folder_is_that_of_the_head_node(evolved, config_file):
    call(config_file, "--out", "~/evoray-runs/mine")
    assert evolved[0].out == str(Path.home() / "evoray-runs" / "mine")


def test_a_relative_run_directory_would_go_with_the_job(evolved, config_file):
    with pytest.raises(UsageError, match=r"--out runs/mine: a job's working directory is a copy"):
        call(config_file, "--out", "runs/mine")
    assert call(config_file).exit_code == 2, "and without one there is none"
    assert evolved == []


def test_the_exit_code_is_the_errors(evolved, config_file, monkeypatch, capsys):
    def evolve(*_, **__):
        raise RunError("the disk is full")

    monkeypatch.setattr(evolution, "evolve", evolve)
    monkeypatch.setattr("sys.argv", ["evolve.py", str(config_file), "--out", "s3://b/r"])
    with pytest.raises(SystemExit) as ended:
        job.main()
    assert ended.value.code == 1 and "error the disk is full" in capsys.readouterr().err
