"""The page of figures: what pages link to is there, every page is reached, and a row says how to measure again."""

from __future__ import annotations

import re
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
LINK = re.compile(r"\]\(([^)#:]+)\)")


def linked(page: Path) -> set[Path]:
    return {(page.parent / target).resolve() for target in LINK.findall(page.read_text("utf-8"))}


def test_every_link_of_every_page_leads_somewhere():
    missing = [f"{page.name}: {one}" for page in RESULTS.glob("*.md") for one in linked(page) if not one.exists()]
    assert not missing


def test_every_page_is_reached_from_the_page_of_figures():
    front = RESULTS / "README.md"
    reached, todo = set(), [front]
    while todo:
        page = todo.pop()
        if page not in reached:
            reached.add(page)
            todo += [one for one in linked(page) if one.suffix == ".md" and one.is_relative_to(RESULTS)]
    assert reached >= set(RESULTS.glob("*.md"))


def test_a_row_has_command_commit_date_and_device():
    lines = [line for line in (RESULTS / "README.md").read_text("utf-8").splitlines() if line.startswith("|")]
    figures = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert figures
    for what, figure, _, command, commit, device in figures:
        assert what and figure and ("`" in command or command == "the same"), what
        assert re.fullmatch(r"[0-9a-f]{7}¹?, \d\d-\d\d", commit), what
        assert device.split(",")[0] in ("AVX2", "AVX-512"), what
