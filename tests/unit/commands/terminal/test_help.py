"""Help at every width: whole words, flags as flags, and ``-h`` everywhere."""

from __future__ import annotations

import re

import pytest
import typer
from typer.testing import CliRunner

from evoray.cli import app
from evoray.commands.job import app as job
from evoray.commands.terminal.help import App, wrapped


def every_command(command, words=()):
    """The words that name each command and group, the program itself among them."""
    yield words
    for name, one in getattr(command, "commands", {}).items():
        yield from every_command(one, (*words, name))


COMMANDS = list(every_command(typer.main.get_command(app)))


def shown(words, columns=80, flag="--help", of=app, **environment):
    result = CliRunner().invoke(of, [*words, flag], env={"COLUMNS": str(columns), **environment})
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_help_fits_any_terminal_and_says_the_same_on_each(words):
    wide = shown(words, 1000).split()
    for columns in (60, 80, 120):
        text = shown(words, columns)
        assert max(len(line) for line in text.splitlines()) <= columns
        assert text.split() == wide, "a word is broken, or one is lost"
    assert "\x1b" not in text and "│" not in text
    assert shown(words, 120, "-h") == text == shown(words, 120, FORCE_COLOR="1", NO_COLOR="1")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_flag_is_a_flag_and_types_are_words(words):
    text = shown(words, 120)
    assert "bool" not in text and "<" not in text.replace("<=", "") and "range" not in text
    assert not re.search(r"\d{12}", text), "a bound that nobody meets"


def test_a_job_has_it_too():
    assert "--restartable" in shown((), flag="-h", of=job)


def test_the_parts_of_a_help():
    app = App()

    @app.command("fly")
    def fly(
        config: str = typer.Argument(help="What to fly, in TOML."),
        other: str = typer.Argument("", metavar="WHERE"),
        high: int = typer.Option(3, min=1, max=4096, help="How high."),
        seed: int = typer.Option(0, min=0, max=2**63 - 1),
        names: list[str] = typer.Option([], "--name"),  # noqa: B008
        a_name_that_is_far_too_long_for_a_column: bool = typer.Option(False, "--a-name-that-is-far-too-long-for-it"),
    ) -> None:
        """Fly.

        Far-away places.
        """

    @app.command("hidden", hidden=True)
    def hidden() -> None:
        """Nobody sees it."""

    assert "hidden" not in shown((), of=app)
    text = shown(("fly",), 60, of=app)
    assert text.startswith("Usage: root fly [OPTIONS] CONFIG [WHERE]\n\n  Fly.\n\n  Far-away places.\n\nArguments:\n")
    for line in (
        "  CONFIG   What to fly, in TOML.",
        "  --high N     How high. [default: 3; 1 to 4,096]",
        "  --seed N     [default: 0; at least 0]",
        "  --name TEXT",
        "  --a-name-that-is-far-too-long-for-it",
    ):
        assert line in text.splitlines(), line


@pytest.mark.parametrize("width", [5, 12, 40])
def test_words_stay_whole(width):
    text = "channels-last and package.module:function are words of their own"
    assert " ".join(wrapped(text, width)).split() == text.split()
