"""Sums have names; where they stand is known to one file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import evoray
from evoray.tasks.sums import SumsLayout

ROOT = Path(evoray.__file__).parent
LAYOUT = SumsLayout(("n", "loss", "invalid"), own=2)
SUMS = re.compile(r"(total|totals|sums|row|parent_total|candidate)")
"""Names under which rows of sums travel."""


def test_a_row_is_read_as_it_was_made():
    differences = np.array([1.0, -3.0])
    row = LAYOUT.with_pairs.row(np.array([2.0, 5.0, 0.0]), np.array([7.0, 8.0]), differences)
    assert row.tolist() == [2, 5, 0, 7, 8, -2, 10]
    found = {name: float(LAYOUT.with_pairs.column(row, name)) for name in (*LAYOUT.columns, "difference", "squares")}
    assert found == {"n": 2, "loss": 5, "invalid": 0, "difference": -2, "squares": 10}
    assert LAYOUT.with_pairs.plain(row).tolist() == [2, 5, 0, 7, 8]
    assert LAYOUT.with_pairs.of_fitness(row).tolist() == LAYOUT.of_fitness(row).tolist() == [7, 8]
    assert LAYOUT.by_name(row) == {"n": 2, "loss": 5, "invalid": 0}
    assert (LAYOUT.count(row), LAYOUT.mean(row, "loss")) == (2, 2.5)


def test_columns_of_many_rows():
    rows = np.arange(2 * 3 * LAYOUT.width, dtype=float).reshape(2, 3, LAYOUT.width)
    assert LAYOUT.column(rows, "loss").tolist() == [[1, 6, 11], [16, 21, 26]]
    assert LAYOUT.of_fitness(rows).shape == (2, 3, 2)
    assert LAYOUT.unknown(4, 2).shape == (4, 2, LAYOUT.width) and np.isnan(LAYOUT.unknown(4)).all()


@pytest.mark.parametrize("name", ["top1", "difference"])
def test_a_name_that_is_not_there_is_an_error(name):
    with pytest.raises(ValueError):
        LAYOUT.column(np.zeros(LAYOUT.width), name)


@pytest.mark.parametrize(
    ("columns", "valid"), [((3, 1, 0), True), ((3, 1, 1), False), ((3, np.nan, 0), False), ((3, np.inf, 0), False)]
)
def test_what_is_valid(columns, valid):
    assert LAYOUT.is_valid(LAYOUT.row(np.array(columns, float), np.array([np.nan, 0]))) is valid


def numbered(tree: ast.AST) -> list[int]:
    """Lines that take a sum by its position."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and SUMS.fullmatch(_name(node.value)):
            numbers = [one.value for one in ast.walk(node.slice) if isinstance(one, ast.Constant)]
            if any(isinstance(number, int) for number in numbers):
                found.append(node.lineno)
        elif isinstance(node, ast.Attribute) and node.attr == "index" and _name(node.value).lower() == "columns":
            found.append(node.lineno)
    return found


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def test_positions_would_be_seen():
    for text in ("total[3]", "x = self.total[-1]", "totals[:, 0]", "row[:2]", "COLUMNS.index('n')", "sums[..., -2:]"):
        assert numbered(ast.parse(text)), text
    for text in ("total", "rows[0]", "row['rank']", "totals[racer]", "total[shard['block_at']]"):
        assert not numbered(ast.parse(text)), text


FILES = sorted(path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "ingest")
"""Ingest's rows are of lists and tables; no sum comes there."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sum_is_taken_by_its_position(path):
    if path.relative_to(ROOT).as_posix() == "tasks/sums.py":
        return
    assert not numbered(ast.parse(path.read_text()))
