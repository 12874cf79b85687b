"""Every link of a page to a file of this repository leads to one, and to a heading that is there."""

from __future__ import annotations

import re
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTED = subprocess.run(["git", "-C", str(ROOT), "ls-files", "*.md"], capture_output=True, text=True, check=True)
PAGES = LISTED.stdout.split()
LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)")


@lru_cache
def headings(page: Path) -> set[str]:
    """Their names in an address, as GitHub makes them; lines of code blocks are none."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found = re.findall(r"^#{1,6} (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in found}


def test_there_are_pages():
    assert {"README.md", "evoray/config/README.md", "tests/benchmarks/results/README.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(page):
    text = re.sub(r"`[^`\n]*`", "", (ROOT / page).read_text(encoding="utf-8"))
    for file, anchor in LINK.findall(text):
        target = ((ROOT / page).parent / file).resolve() if file else ROOT / page
        assert target.exists(), f"{page} links to {file}, which is not there"
        if anchor:
            assert anchor in headings(target), f"{page} links to {file}#{anchor}, and there is no such heading"
