"""Figures about the shape of this checkout: sizes, tests beside code, and the graph of imports between units.

Run as ``python tests/structure.py [ROOT]``. Source is ``evoray/`` and ``jobs/``, tests are ``tests/``. A unit is a file
or folder directly in ``evoray/``. Imports inside functions count, those under ``if TYPE_CHECKING`` do not.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, SOURCES, TESTS = "evoray", ("evoray", "jobs"), "tests"
LAYERS_FILE, LAYERS_NAME = "tests/unit/test_layers.py", "LAYERS"
"""Where the order of units is declared: a list of sets of names, the lowest first."""
ENTRIES = ("__init__", "__main__")
"""Modules that need no test of their own name."""

Graph = Mapping[str, frozenset[str]]
"""For each unit the other units that it imports."""


@dataclass(frozen=True)
class Import:
    """One import of another unit: who, whom, and where it stands."""

    importer: str
    imported: str
    place: str


@dataclass(frozen=True)
class Structure:
    """All figures of one checkout."""

    files: int
    lines_per_file: float
    files_per_folder: float
    fullest_folder: str
    fullest_folder_files: int
    function_lines: float
    function_lines_p90: float
    test_to_code: float
    same_named_tests: float
    two_way: tuple[tuple[str, str], ...]
    flat_files: int
    units: int
    imports: int
    levels: int
    upward: tuple[str, ...] | None
    circles: tuple[tuple[str, ...], ...]


def measure(root: Path = ROOT) -> Structure:
    """Every figure of the checkout at ``root``."""
    files = source_files(root)
    lengths = [length for path in files for length in function_lengths(_tree(path))]
    folders = files_per_folder(root)
    fullest = max(folders, key=lambda folder: (folders[folder], folder))
    found = unit_imports(root)
    graph = unit_graph(root, found)
    return Structure(
        files=len(files),
        lines_per_file=statistics.median(map(line_count, files)),
        files_per_folder=statistics.median(folders.values()),
        fullest_folder=fullest,
        fullest_folder_files=folders[fullest],
        function_lines=statistics.median(lengths),
        function_lines_p90=percentile(lengths, 90),
        test_to_code=sum(map(line_count, test_files(root))) / sum(map(line_count, files)),
        same_named_tests=same_named_share(root),
        two_way=two_way_imports(graph),
        flat_files=len(list((root / PACKAGE).glob("*.py"))),
        units=len(graph),
        imports=sum(map(len, graph.values())),
        levels=level_count(graph),
        upward=upward_imports(root, found),
        circles=circles(graph),
    )


def source_files(root: Path) -> list[Path]:
    """Python files that are no tests."""
    return sorted(path for folder in SOURCES for path in (root / folder).rglob("*.py"))


def test_files(root: Path) -> list[Path]:
    """Python files in ``tests/``, helpers and benchmarks included."""
    return sorted((root / TESTS).rglob("*.py"))


def line_count(path: Path) -> int:
    """Lines of a file, blank ones included."""
    return len(path.read_text(encoding="utf-8").splitlines())


def files_per_folder(root: Path) -> Counter[str]:
    """Python files directly in each folder of the source that holds any."""
    return Counter(path.parent.relative_to(root).as_posix() for path in source_files(root))


def function_lengths(tree: ast.AST) -> list[int]:
    """Lines of each function and method from ``def`` to its end, without its docstring; inner ones count twice."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [_lines(node) - _docstring_lines(node) for node in ast.walk(tree) if isinstance(node, kinds)]


def percentile(values: Sequence[int], percent: int) -> float:
    """The value below which that share of the values lies, interpolated."""
    if len(values) == 1:
        return values[0]  # quantiles() wants two
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def untested_modules(root: Path) -> list[str]:
    """Modules ``a/b.py`` for which there is no ``tests/**/test_b.py``."""
    names = {path.name for path in test_files(root)}
    return [path.relative_to(root).as_posix() for path in _modules(root) if f"test_{path.name}" not in names]


def same_named_share(root: Path) -> float:
    """Share of the source's modules that have a test of the same name."""
    modules = len(_modules(root))
    return (modules - len(untested_modules(root))) / modules


def unit_imports(root: Path) -> list[Import]:
    """Every import of one unit by another, in the order of files and lines."""
    package = root / PACKAGE
    units = unit_names(root)
    found = []
    for path in sorted(package.rglob("*.py")):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        for line, module in imported_modules(_tree(path), _package_of(root, path)):
            unit = _unit_of(module, units)
            if unit not in (None, own):
                found.append(Import(own, str(unit), f"{path.relative_to(root).as_posix()}:{line}"))
    return found


def unit_names(root: Path) -> frozenset[str]:
    """Files, without their ending, and folders with Python files directly in ``evoray/``."""
    parts = [path.relative_to(root / PACKAGE).parts[0] for path in (root / PACKAGE).rglob("*.py")]
    return frozenset(part.removesuffix(".py") for part in parts)


def imported_modules(tree: ast.AST, package: Sequence[str] = ()) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported; ``from a import b`` gives ``a.b``, be it a module or not."""
    for node in _walk_runtime(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = list(package)[: len(package) - node.level + 1] if node.level else []
            stem = [*above, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*stem, alias.name])) for alias in node.names)


def unit_graph(root: Path, found: Sequence[Import]) -> Graph:
    """The imports as a graph with every unit in it."""
    return {unit: frozenset(one.imported for one in found if one.importer == unit) for unit in sorted(unit_names(root))}


def two_way_imports(graph: Graph) -> tuple[tuple[str, str], ...]:
    """Pairs of units that import each other."""
    return tuple((one, other) for one in graph for other in sorted(graph[one]) if one < other and one in graph[other])


def circles(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Groups of units each of which reaches every other of its group by imports."""
    reach = {unit: reachable(graph, unit) for unit in graph}
    groups = {tuple(sorted(other for other in reach[unit] if unit in reach[other])) for unit in graph}
    return tuple(sorted(group for group in groups if group))


def reachable(graph: Graph, start: str) -> frozenset[str]:
    """Units that are imported by a unit, directly or through others; itself only where it is in a circle."""
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        unit = waiting.pop()
        if unit not in seen:
            seen.add(unit)
            waiting += graph[unit]
    return frozenset(seen)


def level_count(graph: Graph) -> int:
    """Units on the longest path of imports; the units of a circle stand on one level."""
    groups = {unit: group for group in circles(graph) for unit in group}
    depth: dict[tuple[str, ...], int] = {}

    def of(unit: str) -> int:
        group = groups.get(unit, (unit,))
        if group not in depth:
            below = {other for one in group for other in graph[one] if other not in group}
            depth[group] = 1 + max(map(of, sorted(below)), default=0)
        return depth[group]

    return max(map(of, graph), default=0)


def upward_imports(root: Path, found: Sequence[Import]) -> tuple[str, ...] | None:
    """Imports of a unit that stands higher in the declared order, or is left out of it; None without an order."""
    layers = declared_layers(root)
    if layers is None:
        return None
    level = {unit: number for number, units in enumerate(layers) for unit in units}
    above = [one for one in found if level.get(one.imported, len(layers)) > level.get(one.importer, len(layers) - 1)]
    return tuple(f"{one.place} imports {one.imported}" for one in above)


def declared_layers(root: Path) -> list[set[str]] | None:
    """The order of units that a test holds, lowest first; None where it stands there no longer as a plain list."""
    path = root / LAYERS_FILE
    for node in ast.walk(_tree(path)) if path.exists() else ():
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and LAYERS_NAME in _assigned(node):
            try:
                return [set(units) for units in ast.literal_eval(node.value)]
            except (ValueError, TypeError):
                return None
    return None


def _assigned(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _modules(root: Path) -> list[Path]:
    return [path for path in source_files(root) if path.stem not in ENTRIES]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=path.name)


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return _lines(node.body[0]) if ast.get_docstring(node, clean=False) is not None else 0


def _package_of(root: Path, path: Path) -> tuple[str, ...]:
    return path.parent.relative_to(root).parts


def _unit_of(module: str, units: frozenset[str]) -> str | None:
    """The unit that a dotted name belongs to; a name of the package itself belongs to ``__init__``."""
    first, _, rest = module.partition(".")
    if first != PACKAGE:
        return None
    unit = rest.partition(".")[0]
    return unit if unit in units else "__init__"


def _walk_runtime(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only the type checker sees."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and _is_type_checking(child.test):
            for other in child.orelse:
                yield from _walk_runtime(other)
        else:
            yield from _walk_runtime(child)


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def report(found: Structure) -> str:
    """The figures as lines of text."""
    upward = f"no order of units is declared in {LAYERS_FILE}" if found.upward is None else _listed(found.upward)
    rows = [
        ("files", found.files),
        ("lines per file (median)", f"{found.lines_per_file:g}"),
        (
            "files per folder (median, most)",
            f"{found.files_per_folder:g}, {found.fullest_folder_files} in {found.fullest_folder}",
        ),
        ("function lines (median, p90)", f"{found.function_lines:g}, {found.function_lines_p90:g}"),
        ("test:code lines", f"{found.test_to_code:.2f}"),
        ("modules with a same-named test", f"{found.same_named_tests:.0%}"),
        ("two-way imports", _listed([f"{one} and {other}" for one, other in found.two_way])),
        (f"files flat in {PACKAGE}/", found.flat_files),
        ("units, imports between them", f"{found.units}, {found.imports}"),
        ("levels", found.levels),
        ("upward imports", upward),
        ("circles between units", _listed([" ".join(group) for group in found.circles])),
    ]
    return "\n".join(f"{name:<34}{value}" for name, value in rows)


def _listed(items: Sequence[str]) -> str:
    return "\n".join([str(len(items)), *(f"    {item}" for item in items)])


if __name__ == "__main__":
    print(report(measure(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT)))
