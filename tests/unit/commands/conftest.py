from __future__ import annotations

import pytest
from finished_files import config, population, summary
from typer.testing import CliRunner

from evoray.cli import app
from evoray.storage.directory import RunDirectory

__all__ = ["config", "population", "summary"]

RUN = """
[parent]
source = "module"
name = "evoray.models.small:cnn"
weights = "random"
[data]
path = "mnist5k"
"""


@pytest.fixture
def evoray(monkeypatch):
    """The command line: stdout of a command; what it raises comes through."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments, code=0):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return call


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "configs" / "mine.toml"
    path.parent.mkdir()
    path.write_text(RUN)
    return path


@pytest.fixture
def finished(summary, config, population, tmp_path):
    """A finished run's directory."""
    directory = RunDirectory(str(tmp_path / "run"))
    directory.write_json("summary.json", summary)
    directory.write_json("config.json", config)
    directory.write_table("population.parquet", population)
    return directory
