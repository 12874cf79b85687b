from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from evoray.report.cost import ANNOTATED, cost, diversity
from evoray.report.finished_run import Run


@pytest.fixture
def with_summary(summary: dict[str, Any], population: pa.Table):
    def make(**changes: Any) -> Run:
        return Run.of(summary | changes, population)

    return make


def pairs(rows: list[list[Any]]) -> dict[str, Any]:
    return {"ensemble": {"diversity": {"pairs": {"disagreement": rows}}}}


def test_every_pairs_share_is_written_in_percent(with_summary) -> None:
    svg = diversity(with_summary(**pairs([[0, 0.012, 0.3], [0.012, 0, 0.0], [0.3, 0.0, 0]])))
    assert svg is not None
    assert [svg.count(f">{words}<") for words in ("1.2", "30.0", "0.0")] == [2, 2, 2]
    assert "Answers that differ (% of test images)" in svg and "each two of 3 members" in svg


def test_many_members_are_shades_alone(with_summary) -> None:
    count = ANNOTATED + 1
    svg = diversity(with_summary(**pairs([[0.123 * (i != j) for i in range(count)] for j in range(count)])))
    assert svg is not None and ">12.3<" not in svg


@pytest.mark.parametrize("rows", [[], [[0.0]]])
def test_a_single_member_has_no_pairs(rows, with_summary) -> None:
    assert diversity(with_summary(**pairs(rows))) is None
    assert diversity(with_summary(ensemble={})) is None


def test_members_that_always_agree_are_drawn(with_summary) -> None:
    svg = diversity(with_summary(**pairs([[0.0, 0.0], [0.0, 0.0]])))
    assert svg is not None and svg.count(">0.0<") == 3, "two squares, and the scale"


def test_a_pair_that_is_not_defined_stays_empty(with_summary) -> None:
    svg = diversity(with_summary(**pairs([[0.0, 0.25, None], [0.25, 0.0, None], [None, None, 0.0]])))
    assert svg is not None and svg.count(">25.0<") == 2 and "nan" not in svg


def test_stages_are_in_the_runs_order_by_their_words(with_summary) -> None:
    stages = {"mine": 0.5, "panel/test": 12.3, "child": 1061.2, "soup": 0.0}
    svg = cost(with_summary(work={"stages": stages}))
    assert svg is not None
    places = [svg.index(f">{words}<") for words in ("Children", "Networks on test", "mine")]
    assert places == sorted(places)
    assert ">Soups<" not in svg, "what took no time is no bar"
    assert ">1,061.2 s<" in svg and "Wall time (s)" in svg
    assert "Wall time of each kind of work: Children, Networks on test, mine" in svg


@pytest.mark.parametrize("work", [{}, {"stages": {}}, {"stages": {"child": 0.0}}])
def test_a_run_without_times_has_no_figure(work, with_summary) -> None:
    assert cost(with_summary(work=work)) is None
