"""Help, tables and sentences at 80 and at 120 columns, without colour."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from evoray.commands.common import on_lines
from evoray.report.grids import Grid
from evoray.report.tables import table


def paths(command, before=()):
    yield before
    for name, inner in getattr(command, "commands", {}).items():
        yield from paths(inner, (*before, name))


def test_help_keeps_to_the_terminal_and_breaks_no_word(evoray, monkeypatch):
    import typer

    from evoray.cli import app

    monkeypatch.setenv("NO_COLOR", "1")
    for path in paths(typer.main.get_command(app)):
        narrow, wide = (evoray(*path, "--help", columns=columns) for columns in (80, 120))
        for columns, said in ((80, narrow), (120, wide)):
            assert "\x1b" not in said and max(map(len, said.splitlines())) <= columns, path
        words, whole = (set(re.findall(r"\S+", said)) for said in (narrow, wide))
        assert words <= whole, f"{path}: {sorted(words - whole)}"


RUNS = ("a", "a_second-run-with-a-longer-name-than-most", "sweeps/of-july/another-run-with-a-name-of-its-own")
NUMBERS = ", ".join(f"0.53778968207755{number}" for number in range(10))
NETWORK = "Best child g0002/c0015"
GRIDS = [
    Grid(
        "NLL on test, lower is better",
        ("Run", "Network", "On test", "Minus parent's", "95% interval", "Reading"),
        tuple((run, NETWORK, "2.3", "-0.3", "-0.0025 to -0.0005", "no difference shown") for run in RUNS),
        "An interval here is of a network's difference from its own parent, and says nothing between runs. " * 2,
        2,
    ),
    Grid("Configuration", ("Key", *RUNS), (("mutation.prices", "", NUMBERS, "auto"), ("seed", "0", "1", "2"))),
    Grid("Configuration", ("Key", *RUNS[:2]), (("mutation.prices", "–", NUMBERS),), "Only keys that differ."),
    Grid("Wide", tuple(f"figure {n}" for n in range(25)), (tuple(f"{n}.12345" for n in range(25)),)),
    Grid("None", ("Child", "Part"), ()),
    Grid("Path", ("What", "Where"), (("checkpoint", "/home/somebody/" + "a-folder-of-pictures/" * 7 + "best.pt"),)),
]


def printed(shown, width):
    console = Console(file=io.StringIO(), width=width, _environ={"NO_COLOR": "1"})
    console.print(shown, crop=False)
    return console.file.getvalue()


def too_long(said, width):
    """Lines beyond the width that hold more than one word as long as that."""
    return [line for line in said.splitlines() if len(line) > width and max(map(len, line.split())) < width - 10]


@pytest.mark.parametrize("grid", GRIDS, ids=[f"{number} {grid.title}" for number, grid in enumerate(GRIDS)])
@pytest.mark.parametrize("width", [80, 120])
def test_tables_keep_to_the_terminal_and_break_no_word(grid, width):
    said = printed(table(grid), width)
    words = {word for text in (grid.title, *grid.columns[1:], *sum(grid.rows, ()), grid.note) for word in text.split()}
    found = {word.rstrip(":") for word in said.split()} | set(said.split())
    assert words <= found, sorted(words - found)
    assert "\x1b" not in said and "…" not in said and not too_long(said, width)


@pytest.mark.parametrize("width", [80, 120])
def test_sentences_break_between_words_on_a_terminal_and_nowhere_in_a_file(width):
    text = (
        f"{RUNS[1]}: no improvement is shown on test at /a/path{'/of-many-folders' * 12}/run.toml. "
        + "Look at it. " * 20
    )
    terminal = Console(file=io.StringIO(), width=width, force_terminal=True, _environ={})
    lines = on_lines(text, terminal).split("\n")
    assert " ".join(lines).split() == text.split() and not too_long("\n".join(lines), width) and len(lines) > 2
    assert on_lines("  two\n\n  lines", terminal) == "  two\n\n  lines"
    assert on_lines(text, Console(file=io.StringIO(), width=width, _environ={})) == text
