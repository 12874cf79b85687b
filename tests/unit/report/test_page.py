from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from browser import Browser

from evoray.errors import UsageError
from evoray.report.page import cards, pictures, render

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


TILES = [
    ("nll", "Ensemble of 8: NLL on test (lower is better)", "Children with lower NLL than the parent, on select"),
    ("top1", "Ensemble of 8: top-1 accuracy on test (higher is better)", "Children with higher top-1 accuracy than"),
    ("cost", "Ensemble of 8: cost on test (lower is better)", "Children with lower cost than the parent, on select"),
    ("macro-f1", "Ensemble of 8: macro F1 on test (higher is better)", "Children with higher macro F1 than the parent"),
    ("mine:auc", "Ensemble of 8: auc on test (higher is better)", "Children with higher auc than the parent"),
]


@pytest.mark.parametrize(("fitness", "first", "children"), TILES)
@pytest.mark.parametrize("ensemble", [True, False])
def test_tiles_are_of_the_runs_fitness(fitness, first, children, ensemble, run_for) -> None:
    tiles = cards(run_for(fitness, ensemble=ensemble))
    assert tiles[0].title == (first if ensemble else first.replace("Ensemble of 8", "Soup g0001/soup05"))
    assert children in tiles[-1].title and tiles[0].value


def test_a_cost_is_positive_and_falls(run_for, config) -> None:
    run = run_for("cost")
    page = render(run.summary, config, pa.Table.from_pylist(run.children))
    assert "0.2500 → 0.2000" in page and "−0.0500 (95%: −0.0800 to −0.0200), better" in page
    assert f"The search was to improve {run.main.described}." in page
    assert "classes: the data&#39;s 10 are outputs 0 to 9" in page and "Cost (per image) on select" in page


def test_a_run_without_an_ensemble_has_a_page(run_for, config) -> None:
    run = run_for("mine:auc", ensemble=False)
    page = render(run.summary, config, pa.Table.from_pylist(run.children))
    assert "Soup g0001/soup05: auc on test" in page and "Ensemble of" not in page
    balance = Balance()
    balance.feed(page)
    assert balance.open == []


def test_damaged_measures_are_named(summary, config, population) -> None:
    with pytest.raises(UsageError, match=r"summary\.json: measures are damaged"):
        render(summary | {"measures": {"nll": {"label": "NLL"}}}, config, population)


def test_its_figures_as_pictures(summary: dict[str, Any], config: dict[str, Any], population: pa.Table) -> None:
    drawn: list[int] = []
    found = pictures(summary, population, None, lambda: drawn.append(len(drawn)))
    page = render(summary, config, population)
    assert [title for title, _ in found] == re.findall(r"<section><h2>([^<]*)</h2><figure>", page)
    assert len(drawn) == len(found) > 3 and all(png.startswith(b"\x89PNG") for _, png in found)


def test_in_a_browser_wide_and_narrow_light_and_dark(
    summary: dict[str, Any], config: dict[str, Any], population: pa.Table, tmp_path: Path, browser: Browser
) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(summary, config, population))
    page = browser.open(file.as_uri())
    assert page.faults_of_all() == {}
    tables = page.run("[...document.querySelectorAll('.scroll')].map(one => one.getAttribute('aria-label'))")
    assert page.tabbed() == tables and len(tables) == 7
    page.run("document.querySelectorAll('.scroll')[1].focus()")
    page.press("ArrowRight", 39)
    assert page.run("new Promise(done => setTimeout(() => done(document.activeElement.scrollLeft), 300))") > 0
