"""Imports point down, and Ray is imported in one place."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

import evoray

ROOT = Path(evoray.__file__).parent
LAYERS = [
    {"errors"},
    {"__init__", "runtime", "statistics"},
    {"config", "data", "report", "storage"},
    {"backends", "models", "mutation", "tasks"},
    {"demo", "ensembles", "fitness", "ingest", "strategies"},
    {"evaluation"},
    {"benchmarks", "search"},
    {"results", "tracking", "watching"},
    {"evolution"},
    {"begin", "runs", "serving", "sharing"},
    {"commands", "serve", "study"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(ROOT.rglob("*.py"))


def part_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def imports(path: Path) -> list[str]:
    """Modules imported anywhere in a file, those for the type checker alone left out."""
    tree = tree_of(path)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    own = part_of(path)
    for module in imports(path):
        if module.startswith("evoray."):
            other = module.split(".")[1]
            assert other == own or LEVEL[other] <= LEVEL[own], f"{path} imports {module}"


def test_ray_is_imported_in_one_place():
    importers = {
        str(path.relative_to(ROOT))
        for path in FILES
        if any(module == "ray" or module.startswith("ray.") for module in imports(path))
    }
    assert importers <= {"backends/ray.py", "serve.py"}


def nodes_of(kind):
    """(file, node) of every node of a kind in the package."""
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, kind):
                yield str(path.relative_to(ROOT)), node


def test_results_are_journalled_in_one_place():
    """The stage loop alone: whoever evaluates asks it for a stage."""
    writers = {
        file
        for file, call in nodes_of(ast.Call)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "add"
        and isinstance(call.func.value, ast.Attribute)
        and call.func.value.attr == "journal"
    }
    assert writers == {"search/stages.py"}


def test_jobs_are_run_in_one_place():
    """But for what is measured before a run: the batch size, ingest's decoders, and the benchmark of scaling."""
    runners = {
        file
        for file, call in nodes_of(ast.Call)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "run"
        and "backend" in ast.unparse(call.func.value).lower()
    }
    assert runners == {"search/stages.py", "search/workers.py", "ingest/options.py", "benchmarks/scaling.py"}


def test_auto_is_asked_about_in_one_place():
    askers = {
        file
        for file, compare in nodes_of(ast.Compare)
        if any(isinstance(node, ast.Constant) and node.value == "auto" for node in ast.walk(compare))
    }
    assert askers == set()
    names = {file for file, node in nodes_of(ast.Compare) if any(ast.unparse(one) == "AUTO" for one in operands(node))}
    assert names <= {"runtime/auto.py", "storage/state.py", "commands/bench.py", "study/tables.py", "study/runner.py"}


def operands(compare):
    return [compare.left, *compare.comparators]


def test_sums_have_names():
    """A position in a row of sums is known to tasks/sums.py and to nobody else."""
    rows = {"total", "row", "sums"}
    found = {
        f"{file}: {ast.unparse(node)}"
        for file, node in nodes_of(ast.Subscript)
        if isinstance(node.value, ast.Name)
        and node.value.id in rows
        and any(isinstance(one, ast.Constant) and isinstance(one.value, int) for one in ast.walk(node.slice))
    }
    known = ("tasks/sums.py", "ingest/")  # a row of a list of labels is no row of sums
    assert {one for one in found if not one.startswith(known)} == set()
