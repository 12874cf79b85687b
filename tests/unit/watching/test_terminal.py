"""On a terminal of 80 and 120 columns no line is longer, and no word is broken."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from told import view

from evoray.watching.terminal import drawn
from evoray.watching.view import View

NOTE = "images are normalised as torchvision does for resnet50 (mean 0.485, 0.456, 0.406), for its weights say nothing"


def printed(found, width):
    console = Console(file=io.StringIO(), width=width, height=40, color_system=None)
    console.print(drawn(found))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_every_word_is_whole(width):
    blocks = [{"block": block, "children": 1000 * block, "best": 0.4} for block in range(4)]
    found = view(
        live={"notes": [NOTE], "blocks": blocks},
        holder={"host": "a-node.cluster.example", "pid": 1234567, "since": "now"},
    )
    text = printed(found, width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    words = set(text.split())
    for said in (
        NOTE,
        "NLL 0.3000 (g0000/c0001), the parent 0.4500",
        "running on a-node.cluster.example (process 1234567)",
    ):
        assert words.issuperset(said.split()), said
    assert len(text.splitlines()) < 32


def test_what_is_not_known_takes_no_line():
    text = printed(View("runs/x", "starting"), 80)
    assert [line.split() for line in text.splitlines()] == [["runs/x"], ["state", "starting"]]


def test_a_finished_run_says_its_verdict(summary, population):
    text = printed(View("x", "finished", summary=summary, children=population), 80)
    assert summary["verdict"].split()[0] in text and "Fittest so far" not in text


def test_names_do_not_steer_the_terminal():
    found = view(live={"notes": ["\x1b[2J[bold]x[/bold]"], "top": [{"id": "\x1b]0;x", "value": 0.1}]})
    text = printed(found, 80)
    assert "\x1b" not in text and "[bold]x[/bold]" in text
