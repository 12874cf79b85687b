"""Imports point down, and Ray is imported in one place."""

from __future__ import annotations

import ast
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
    {"results"},
    {"evolution"},
    {"commands", "study"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(ROOT.rglob("*.py"))


def part_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Modules imported anywhere in a file, those for the type checker alone left out."""
    tree = ast.parse(path.read_text())
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
