from __future__ import annotations

import re
from dataclasses import replace

import pytest

from evoray.report.measures import BEFORE
from evoray.study.formats.page import page, spreads, strips_of
from evoray.study.tables import all_tables

SOUPS = (0.50, 0.52, 0.41)


@pytest.fixture
def outcomes(outcome):
    return [
        outcome(seed=seed, side=side, soup=soup, ensemble=soup + 0.02)
        for seed, soup in enumerate(SOUPS)
        for side in ("sparse", "dense")
    ]


def test_every_seed_has_a_point_of_its_own(outcomes):
    sparse = next(one for one in strips_of(outcomes, BEFORE["nll"]) if one.label == "Soup\n1 gen., sparse")
    assert sparse.values == pytest.approx([soup - 0.6 for soup in SOUPS])
    ((_, svg),) = spreads(outcomes)
    # of two panels: a circle a seed, a diamond and a bar a row, of three networks and two arms
    rows = 2 * 3 * 2
    assert svg.count("<use") >= rows * (len(SOUPS) + 1)


def test_nothing_but_zeros_is_no_rounding_error(outcome):
    same = [outcome(seed=seed, side=side) for seed in (0, 1) for side in ("sparse", "dense")]
    ((_, svg),) = spreads(same)  # top-1 is the same everywhere
    assert "1e−" not in svg and "1e-" not in re.sub(r'="[^"]*"', "", svg)


def test_one_seed_is_a_point_without_a_bar(outcome):
    assert len(list(spreads([outcome(), outcome(side="dense")]))) == 1


def test_a_fitness_that_is_not_defined_has_no_point(outcome):
    some = [outcome(seed=0), outcome(seed=1, soup=float("nan"))]
    some = [replace(one, arm="sparse", side="sparse") for one in some]
    assert not [one for one in strips_of(some, BEFORE["nll"]) if one.label.startswith("Soup")]


def test_it_stands_alone_and_is_the_same_every_time(outcomes):
    written = page("A <study>", outcomes, all_tables(outcomes))
    assert written == page("A <study>", outcomes, all_tables(outcomes))
    plain = written.replace("http-equiv", "")
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)|<script|<link|<img", plain)
    assert "A &lt;study&gt;" in written and "Seed by seed: NLL" in written and "±" in written
    assert all(f'<td class="n">{soup:.4f}</td>' in written for soup in SOUPS)


def test_in_a_browser_wide_and_narrow_light_and_dark(outcomes, tmp_path, browser):
    file = tmp_path / "study.html"
    file.write_text(page("A study", outcomes, all_tables(outcomes)))
    opened = browser.open(file.as_uri())
    assert opened.faults_of_all() == {}
    assert len(opened.tabbed()) == len(all_tables(outcomes))
