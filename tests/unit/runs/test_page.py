from __future__ import annotations

import re

import pytest

from evoray.runs.compare import compare_runs
from evoray.runs.page import differences, render


@pytest.fixture(scope="module")
def found(made):
    return compare_runs([str(made / "a"), str(made / "b"), str(made / "other")])


@pytest.fixture(scope="module")
def file(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "compare.html"
    path.write_text(render(found))
    return path


def test_it_stands_alone_and_is_the_same_every_time(found, file):
    page = file.read_text()
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)|<script|<link|<img", page.replace("http-equiv", ""))
    assert page == render(found) and page.count("<svg") == 1


def test_it_says_what_the_tables_say(found, file):
    page = file.read_text()
    for words in ("Difference from a", "other and a are not compared", "mutation.sigma", found.runs[1].run.verdict):
        assert words.replace("'", "&#39;") in page
    for line in found.grids[0].rows:
        assert "".join(f"<td>{cell}</td>" for cell in line[:3]) in page and line[4] in page


def test_what_strangers_wrote_stays_text(runs):
    import json

    path = runs / "b" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"verdict": '"><script>alert(1)</script>$x^$'}))
    page = render(compare_runs([str(runs / "a"), str(runs / "b")]))
    assert "<script" not in page and "&lt;script&gt;" in page


def test_nothing_compared_is_no_figure(made):
    found = compare_runs([str(made / "a"), str(made / "other")])
    assert differences(found) is None and "<svg" not in render(found)


def test_in_a_browser_wide_and_narrow_light_and_dark(file, browser):
    page = browser.open(file.as_uri())
    assert page.faults_of_all() == {}
    tables = page.run("document.querySelectorAll('.scroll').length")
    reached = page.tabbed()
    assert tables == 5 and reached[0] == "Difference from a" and len(reached) == tables
