from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from evoray.errors import UsageError
from evoray.report.tables import print_run


def printed(summary: dict[str, Any], population: pa.Table) -> str:
    sink = io.StringIO()
    print_run(summary, population, Console(file=sink, width=140))
    return sink.getvalue()


def test_prints_verdict_networks_differences_and_children(summary: dict[str, Any], population: pa.Table) -> None:
    shown = printed(summary, population)
    assert summary["verdict"][:40] in shown
    for words in ("Ensemble of 8", "95% interval", "Top-1", summary["best_child"]["id"]):
        assert words in shown


def test_markup_in_a_name_is_shown_as_it_is(summary: dict[str, Any], population: pa.Table) -> None:
    hostile = summary | {
        "verdict": "[red]fine[/red]",
        "best_child": summary["best_child"] | {"id": "[/bold]x"},
    }
    shown = printed(hostile, population)
    assert "[red]fine[/red]" in shown and "[/bold]x" in shown


def test_an_incomplete_run_is_named_and_nothing_is_printed(summary: dict[str, Any], population: pa.Table) -> None:
    del summary["ensemble"]
    sink = io.StringIO()
    with pytest.raises(UsageError, match=r"summary.json: no ensemble.*--resume"):
        print_run(summary, population, Console(file=sink))
    assert sink.getvalue() == ""


@pytest.mark.parametrize(
    ("fitness", "words"),
    [
        ("cost", "cost (per image, lower is better)"),
        ("macro-f1", "macro F1 (higher is better)"),
        ("mine:auc", "auc (higher is better)"),
    ],
)
@pytest.mark.parametrize("ensemble", [True, False])
def test_what_the_search_was_to_improve_is_printed_with_the_notes(fitness, words, ensemble, run_for) -> None:
    run = run_for(fitness, ensemble=ensemble)
    shown = " ".join(printed(dict(run.summary), pa.Table.from_pylist(run.children)).split())
    assert f"The search was to improve {words}" in shown
    assert "classes: the data's 10 are outputs 0 to 9" in shown


@pytest.mark.parametrize("columns", [80, 120])
def test_no_word_is_broken_and_no_line_is_too_long(summary, population, columns):
    def words(width):
        stream = io.StringIO()
        print_run(summary, population, Console(file=stream, width=width, _environ={}))
        assert max(map(len, stream.getvalue().splitlines())) <= width and "\x1b" not in stream.getvalue()
        return {word for word in stream.getvalue().split() if not set(word) <= {"─"}}

    assert words(columns) == words(400)
