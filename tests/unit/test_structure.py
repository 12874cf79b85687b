"""The shape of the checkout is held: each figure of ``tests/structure.py`` that has a limit keeps it."""

from __future__ import annotations

import ast

import pytest
import structure
from structure import Structure, measure, report

LIMITS: dict[str, tuple[str, float]] = {
    "flat_files": ("at most", 8),
    "levels": ("at most", 12),
    "circles": ("at most", 0),
    "two_way": ("at most", 0),
    "fullest_folder_files": ("at most", 16),
    "function_lines_p90": ("at most", 17),
    "test_to_code": ("at least", 0.9),
    "same_named_tests": ("at least", 0.75),
}
"""Figures of ``Structure`` with their limits; a list counts by its length."""


@pytest.fixture(scope="module")
def found() -> Structure:
    return measure()


@pytest.mark.parametrize("figure", LIMITS)
def test_a_figure_keeps_its_limit(found, figure):
    way, limit = LIMITS[figure]
    value = getattr(found, figure)
    number = len(value) if isinstance(value, tuple) else value
    assert number <= limit if way == "at most" else number >= limit, f"{way} {limit}\n{report(found)}"


def test_no_import_points_up(found):
    assert found.upward == (), report(found)


# What the figures are made of, on sources small enough to count by hand.

SMALL = {
    "evoray/__init__.py": "",
    "evoray/low.py": "import os\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from evoray import high\n",
    "evoray/room/__init__.py": "",
    "evoray/room/one.py": "from evoray.low import x\nfrom evoray.room import two\n",
    "evoray/room/two.py": "def f():\n    import evoray.low\n",
    "evoray/high.py": "from evoray import room, __version__\nfrom .low import x\n",
    "jobs/start.py": "import evoray.high\n",
    "tests/unit/room/test_one.py": "",
    "tests/unit/test_layers.py": 'LAYERS = [{"low"}, {"high"}, {"room"}, {"__init__"}]\n',
}


@pytest.fixture
def small(tmp_path):
    def make(**changed):
        for name, text in (SMALL | {f"evoray/{name}.py": text for name, text in changed.items()}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return make


def test_a_unit_is_a_file_or_a_folder(small):
    graph = structure.unit_graph(small(), structure.unit_imports(small()))
    assert graph == {"__init__": set(), "low": set(), "room": {"low"}, "high": {"room", "low", "__init__"}}
    assert structure.level_count(graph) == 3
    assert structure.circles(graph) == structure.two_way_imports(graph) == ()


def test_an_import_in_a_function_counts(small):
    graph = measure(small(low="def f():\n    from evoray.high import x\n"))
    assert graph.circles == (("high", "low", "room"),)
    assert graph.two_way == (("high", "low"),)
    assert graph.levels == 2  # the circle stands on one level, above __init__


def test_the_branch_that_runs_counts_beside_one_for_the_type_checker(small):
    text = "import typing\nif typing.TYPE_CHECKING:\n    import evoray.room\nelse:\n    import evoray.high\n"
    assert measure(small(low=text)).circles == (("high", "low", "room"),)


def test_upward_imports_are_named(small):
    up = measure(small()).upward
    assert up == ("evoray/high.py:1 imports room", "evoray/high.py:1 imports __init__")


def test_without_a_declared_order_nothing_is_said(small):
    root = small()
    (root / "tests/unit/test_layers.py").write_text("LAYERS = read()\n")
    found = measure(root)
    assert found.upward is None
    assert "no order" in report(found)


def test_files_and_tests_are_counted(small):
    found = measure(small(high="x = 1\n\ny = 2\n"))
    assert (found.files, found.flat_files) == (7, 3)
    assert (found.fullest_folder, found.fullest_folder_files) == ("evoray/room", 3)
    assert structure.untested_modules(small()) == [
        "evoray/high.py",
        "evoray/low.py",
        "evoray/room/two.py",
        "jobs/start.py",
    ]
    assert found.same_named_tests == 1 / 5


def test_a_docstring_is_no_line_of_its_function():
    text = 'def f(x):\n    """One.\n\n    Two.\n    """\n\n    def g():\n        return x\n    return g\n'
    assert structure.function_lengths(ast.parse(text)) == [5, 2]


def test_percentiles_are_interpolated():
    assert structure.percentile(list(range(1, 12)), 90) == 10
