from __future__ import annotations

import csv
import io

import pytest

from evoray.report.grids import Grid
from evoray.study.cells import Figures
from evoray.study.formats.numbers import table_csv


def read(grid):
    return list(csv.reader(io.StringIO(table_csv(grid))))


def test_numbers_of_a_cell_have_columns_of_their_own():
    cells = (Figures("interval", "−0.05", "−0.10", "+0.20"), "+0.3", "–", "nan")
    found = read(Grid("T", ("Parent", "Gain"), tuple(("p", cell) for cell in cells)))
    assert found[0] == ["Parent", "Gain", "Gain low", "Gain high"]
    assert found[1:] == [["p", "-0.05", "-0.10", "+0.20"], ["p", "+0.3", "", ""], ["p", "", "", ""], ["p", "", "", ""]]


def test_mean_and_deviation():
    found = read(Grid("T", ("Parent", "Top-1"), (("p", Figures("sd", "60.00%", "1.25%")),)))
    assert found == [["Parent", "Top-1 (%)", "Top-1 SD (%)"], ["p", "60.00", "1.25"]]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("1,234,567", "1234567"),
        ("−1,234.5", "-1234.5"),
        ("4 min 05 s", "4 min 05 s"),
        ("2 of 3", "2 of 3"),
        ("1e−05", "1e−05"),
    ],
)
def test_a_number_has_no_thousands_and_other_words_stay(cell, written):
    assert read(Grid("T", ("Parent", "X"), (("p", cell),)))[1] == ["p", written]


def test_words_stay_as_they_are():
    found = read(Grid("T", ("Parent", "Arm", "X"), (("1,000", '−"a", b', "1"),), words=2))
    assert found[1] == ["1,000", '−"a", b', "1"]
