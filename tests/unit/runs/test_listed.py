from __future__ import annotations

import io

import pytest
from rich.console import Console

from evoray.runs.listed import COLUMNS, print_runs
from evoray.runs.listing import Row, list_runs


def printed(rows, width):
    console = Console(file=io.StringIO(), width=width)
    print_runs(rows, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut(made, width):
    shown = printed(list_runs(str(made)), width)
    assert all(len(line.rstrip()) <= width for line in shown.splitlines())
    assert "…" not in shown and "finished" in shown and "Verdict" in shown and "other" in shown
    assert ("Not shown at this width" in shown) == (width < 200)


def test_everything_where_there_is_room(made):
    shown = printed(list_runs(str(made)), 250)
    assert all(name in shown for name in COLUMNS) and "users_of_runs:tiny" in shown
    assert "Not shown at this width" not in shown


def test_long_names_stay_whole_and_take_a_line_of_their_own_where_they_must():
    long, longer = (
        "a-second-run-with-a-longer-name-than-most",
        "many/with-a-seed-and-a-sigma/in-a-folder-of-its-own",
    )
    assert f" {long}  stopped " in printed([Row(long, "stopped")], 80)
    assert f"\n{longer}/{long}\n  State: stopped\n" in printed([Row(f"{longer}/{long}", "stopped")], 80)


def test_why_runs_are_damaged_stands_below():
    shown = printed([Row(f"r{number}", "damaged", "broken \x1b[31m") for number in range(30)], 100)
    assert "r0: broken" in shown and "\x1b" not in shown and "and 10 more that are damaged" in shown


def test_records_are_called_so():
    shown = printed([Row("a", "finished", images=5, counted="records")], 200)
    assert "Records" in shown and "Images" not in shown
