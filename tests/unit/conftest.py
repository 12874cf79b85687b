import os

import pytest
from hypothesis import settings

# a law is not broken by a machine that has other work as well, or by the first example, which imports torch
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def browser():
    """One for all pages: to start it costs more than a page."""
    from browser import CHROMIUM, chromium

    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("no Chromium")
    with chromium() as found:
        yield found


@pytest.fixture
def evoray(monkeypatch):
    """The command line: stdout of a command; what it raises comes through."""
    from typer.testing import CliRunner

    from evoray.cli import app

    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments, columns=None, code=0):
        if columns is not None:
            monkeypatch.setenv("COLUMNS", str(columns))
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return call
