from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
import pytest

from evoray.errors import UsageError
from evoray.report import render

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Balance(HTMLParser):
    """Fails on a tag that closes another one than the last opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_stands_alone(summary: dict[str, Any], config: dict[str, Any], population: pa.Table) -> None:
    page = render(summary, config, population)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page.replace("http-equiv", ""))
    balance = Balance()
    balance.feed(page)
    assert balance.open == [] and page.count("<svg") == 8
    assert not {"script", "link", "img", "image", "iframe"} & balance.seen
    assert page == render(summary, config, population)


def test_says_what_was_found(summary: dict[str, Any], config: dict[str, Any], population: pa.Table) -> None:
    page = render(summary, config, population)
    for words in (summary["verdict"], "Ensemble of 8", "IMAGENET1K_V2", "measured on 2,100 others", "0.13%"):
        assert words in page


def test_hostile_names_stay_text(summary: dict[str, Any], config: dict[str, Any], population: pa.Table) -> None:
    evil = '"><script>alert(1)</script>$x^$'
    summary |= {"run_id": evil, "verdict": evil}
    summary["best_child"]["id"] = evil
    summary["comparisons"][0]["name"] = evil
    config["parent"]["name"] = evil
    rows = population.to_pylist()
    rows[0] |= {"child_id": evil, "status": evil}
    page = render(summary, config, pa.Table.from_pylist(rows))
    assert "<script" not in page and "&lt;script&gt;" in page


def test_undefined_numbers_are_dashes(summary: dict[str, Any], config: dict[str, Any], population: pa.Table) -> None:
    undefined = {"difference": None, "ci95": [None, None], "p_value": None}
    summary["comparisons"] = [one | undefined for one in summary["comparisons"]]
    summary["soup"] |= {"nll": None, "ece": None}
    page = render(summary, config, population)
    assert "not defined" in page and "nan" not in page.lower().replace("nan or infinite", "")


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("parent", "test"), {}, "parent.test"),
        (("ensemble", "members"), [{}], "ensemble.members"),
        (("ensemble", "curve"), [{"size": 1}], "ensemble.curve"),
        (("soup", "top1"), "good", "soup.top1"),
        (("work", "wall_s"), float("nan"), "work.wall_s"),
        (("reliability", "soup"), {"counts": [1]}, "reliability.soup"),
    ],
)
def test_damage_is_named(
    path: tuple[str, str],
    value: Any,
    named: str,
    summary: dict[str, Any],
    config: dict[str, Any],
    population: pa.Table,
) -> None:
    summary[path[0]][path[1]] = value
    with pytest.raises(UsageError, match=re.escape(named)):
        render(summary, config, population)


def test_a_missing_column_is_named(summary: dict[str, Any], config: dict[str, Any], population: pa.Table) -> None:
    with pytest.raises(UsageError, match=r"population\.parquet: no column rank"):
        render(summary, config, population.drop_columns(["rank"]))
