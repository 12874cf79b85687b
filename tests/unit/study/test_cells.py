from __future__ import annotations

import json

import pytest

from evoray.report import text
from evoray.report.measures import BEFORE
from evoray.study.cells import Figures, signed, unsigned, with_interval, with_sd


def test_a_cell_reads_as_text_and_has_its_numbers_apart():
    cell = with_sd([1.0, 2.0, 3.0], text.nats)
    assert cell == "2.0000 ± 1.0000" and isinstance(cell, Figures) and cell.parts == ("2.0000", "1.0000")
    assert json.loads(json.dumps([cell])) == ["2.0000 ± 1.0000"]


@pytest.mark.parametrize("make", [with_interval, with_sd])
def test_one_value_is_the_value(make):
    assert make([0.5], text.nats) == "0.5000"


def test_an_interval_is_students():
    assert with_interval([1.0, 2.0, 3.0], text.nats) == "2.0000 [−0.4841, 4.4841]"


@pytest.mark.parametrize(("key", "shown"), [("top1", ("+1.00", "1.00")), ("nll", ("+0.0100", "0.0100"))])
def test_differences_have_signs_and_spreads_none(key, shown):
    assert (signed(BEFORE[key])(0.01), unsigned(BEFORE[key])(0.01)) == shown
