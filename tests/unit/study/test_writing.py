from __future__ import annotations

import csv
import io
import json
import re

import pytest

from evoray.report.grids import Grid
from evoray.study.tables import all_tables
from evoray.study.writing import comma_separated, markdown, slugs, write_study


def test_files_hold_every_table_and_outcome(study, outcome, tmp_path):
    outcomes = [outcome(), outcome(side="dense", soup=float("nan"))]
    grids = all_tables(outcomes)
    path = write_study(str(tmp_path / "out"), study, outcomes, grids)
    text = (tmp_path / "out" / "study.md").read_text()
    assert path.endswith("study.md") and text.startswith("# A small study")
    assert all(f"## {grid.title}" in text for grid in grids)
    document = json.loads((tmp_path / "out" / "study.json").read_text())
    assert len(document["outcomes"]) == 2 and len(document["tables"]) == len(grids)
    assert document["outcomes"][1]["nll"]["soup"] is None
    assert "<h2" in (tmp_path / "out" / "study.html").read_text()
    named = re.findall(r"\\input\{(.*)\}", (tmp_path / "out" / "study.tex").read_text())
    assert len(named) == len(grids) and "tables/in-short" in named
    for name in named:
        assert (tmp_path / "out" / f"{name}.tex").exists() and (tmp_path / "out" / f"{name}.csv").exists()


def test_the_same_outcomes_are_the_same_bytes(study, outcome, tmp_path):
    outcomes = [outcome(), outcome(side="dense")]
    for place in ("a", "b"):
        write_study(str(tmp_path / place), study, outcomes, all_tables(outcomes))
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(files) > 10
    for file in files:
        content = (tmp_path / "a" / file).read_bytes()
        assert content == (tmp_path / "b" / file).read_bytes() and str(tmp_path).encode() not in content, file


def test_titles_become_names_of_files():
    assert slugs(['sigma = "auto" (a)', "A/b", "a b", "–"]) == ["sigma-auto-a", "a-b", "a-b-2", "table"]


def test_a_markdown_table_has_as_many_cells_as_columns(outcome):
    text = markdown("T", all_tables([outcome(parent="a|b"), outcome(parent="a|b", side="dense")]))
    for table in text.split("## ")[1:]:
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_a_line_a_network(outcome):
    lines = list(csv.DictReader(io.StringIO(comma_separated([outcome(soup=0.5)]))))
    assert [line["network"] for line in lines] == ["parent", "best_child", "soup", "ensemble"]
    assert float(lines[2]["nll"]) == 0.5 and lines[0]["nll_difference"] == ""


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a|b", r"a\|b"),
        ("$x^2$", r"\$x^2\$"),
        ("_x_", r"\_x\_"),
        ("small_cnn", "small_cnn"),
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("[click](http://x)", r"[click\](http://x)"),
        ("**bold** `code`", r"\*\*bold\*\* \`code\`"),
        ("a\nb\x1b[31m", r"a\\x0ab\\x1b[31m"),
        ("−0.05 [−0.10, +0.20]", "−0.05 [−0.10, +0.20]"),
    ],
)
def test_a_name_is_no_markup(name, written):
    grid = Grid(name, ("Parent", "NLL"), ((name, "1"),))
    lines = markdown("Title", [grid]).splitlines()
    assert f"## {written}" in lines and f"| {written} | 1 |" in lines
