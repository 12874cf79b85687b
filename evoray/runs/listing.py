"""The runs below a folder: each as a row, whatever state it is in; what is damaged is a row that says so."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from evoray.config.allowed import did_you_mean
from evoray.data.schema import IMAGES, RECORDS
from evoray.errors import EvorayError, UsageError
from evoray.report.finished_run import Run
from evoray.report.measures import ShownMeasure
from evoray.runtime.reading import reason_of, shown
from evoray.storage.directory import Entry, RunDirectory
from evoray.storage.documents import REMEDY
from evoray.storage.state import RunState, rounds_of, state_of

DEPTH = 3
"""Folders below the one that is named in which runs are looked for."""
FOLDERS = 100_000
"""That are looked into at most."""
READERS = 16
"""Folders of an object store read at once: each costs tens of milliseconds."""
MARKS = frozenset(("config.json", "summary.json", "space.json", "population.parquet", "metrics.jsonl", "journal"))
"""Two of them make a folder a run: one that lost a file is one too, and a model's folder with a config.json is not."""
NETWORKS = ("parent", "best_child", "soup", "ensemble")
DEFAULT_TASK = "image-classification"


@dataclass(frozen=True)
class Row:
    """One run. reason: of a damaged one. test: the fitness on ``test`` of each network that it has, in the direction in
    which people know it. claim: ``improved`` or ``not shown``, as the verdict begins. images: passes of an image, or
    of a record.
    """

    name: str
    state: str
    reason: str = ""
    task: str = ""
    parent: str = ""
    fitness: str = ""
    higher_is_better: bool | None = None
    test: Mapping[str, float | None] = field(default_factory=dict)
    claim: str = ""
    verdict: str = ""
    children: int | None = None
    seconds: float | None = None
    images: int | None = None
    counted: str = IMAGES
    date: str = ""
    measure: ShownMeasure | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {key: value for key, value in asdict(self).items() if key != "measure"}


KEYS: Mapping[str, tuple[Callable[[Row], Any], bool]] = {
    "date": (lambda row: row.date, True),
    "name": (lambda row: row.name, False),
    "state": (lambda row: row.state, False),
    "task": (lambda row: row.task, False),
    "parent": (lambda row: row.parent, False),
    "fitness": (lambda row: row.fitness, False),
    "verdict": (lambda row: row.verdict, False),
    "children": (lambda row: row.children, True),
    "seconds": (lambda row: row.seconds, True),
    "images": (lambda row: row.images, True),
    "best": (lambda row: _best_first(row, "best_child"), False),
    "soup": (lambda row: _best_first(row, "soup"), False),
    "ensemble": (lambda row: _best_first(row, "ensemble"), False),
}
"""What rows are sorted by, and whether the largest comes first."""


def list_runs(location: str, sort: str = "date", depth: int = DEPTH) -> list[Row]:
    """A row for every run in a folder or below it, the folder itself among them.

    Args:
        location: a path or URI. depth: how many folders below it are looked into.
        sort: a key of KEYS; rows that do not have it come last.

    Raises:
        UsageError: no such folder, too many folders, or no such key.
    """
    if sort not in KEYS:
        raise UsageError(f"{shown(sort)}: nothing to sort by.{did_you_mean(sort, KEYS)} Name {', '.join(KEYS)}.")
    with ThreadPoolExecutor(READERS, "evoray-runs") as pool:
        root = RunDirectory(location)
        mapped = map if root.is_local else pool.map  # on a disk threads would only wait for each other
        found = _found(root, depth, mapped)
        rows = list(mapped(lambda one: _row(*one), found))
    return in_order(rows, sort)


def in_order(rows: Iterable[Row], sort: str) -> list[Row]:
    """Sorted; ties and rows without a value by name."""
    value, largest_first = KEYS[sort]
    rows = sorted(rows, key=lambda row: row.name)
    known = [row for row in rows if value(row) not in (None, "")]
    return sorted(known, key=value, reverse=largest_first) + [row for row in rows if value(row) in (None, "")]


def _best_first(row: Row, network: str) -> float | None:
    value = row.test.get(network)
    return value if value is None or not row.higher_is_better else -value


def _found(root: RunDirectory, depth: int, mapped: Any) -> list[tuple[str, RunDirectory, list[Entry]]]:
    """Every run: its path below the root, its directory and what lies in it. Nothing is looked for inside a run."""
    runs: list[tuple[str, RunDirectory, list[Entry]]] = []
    level = [("", root, root.entries())]
    seen = 0
    for step in range(depth + 1):
        below = []
        for path, directory, entries in level:
            if len(MARKS & {one.name for one in entries}) >= 2:
                runs.append((path or _own_name(root), directory, entries))
            else:
                below += [
                    (f"{path}/{one.name}".lstrip("/"), directory.below(one.name)) for one in entries if _open(one)
                ]
        seen += len(below)
        if step == depth:
            break
        if seen > FOLDERS:
            raise UsageError(
                f"{shown(root.location)}: more than {FOLDERS:,} folders in it. Name one that holds fewer, or look less "
                "deep (--depth)."
            )
        level = [one for one in mapped(_looked_into, below) if one is not None]
    return runs


def _open(entry: Entry) -> bool:
    return entry.is_folder and not entry.name.startswith(".")


def _looked_into(place: tuple[str, RunDirectory]) -> tuple[str, RunDirectory, list[Entry]] | None:
    """None for a folder that cannot be read: another user's, perhaps; or one that is gone by now."""
    try:
        return (*place, place[1].entries())
    except UsageError:
        return None


def _own_name(root: RunDirectory) -> str:
    return root.path("").rstrip("/").rpartition("/")[2]


def _row(name: str, directory: RunDirectory, entries: Sequence[Entry]) -> Row:
    written = {one.name: one.modified for one in entries}
    last = max((written.get(one, 0.0) for one in ("summary.json", "metrics.jsonl", "config.json")), default=0.0)
    date = datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds") if last > 0 else ""
    try:
        state = state_of(directory)
        if state is None:
            raise UsageError(f"no config.json in it. {REMEDY}")
        made = _finished if state.name == "finished" else _unfinished
        return made(name, directory, state, date)
    except EvorayError as error:
        return Row(name, "damaged", reason=str(error), date=date)
    except Exception as error:  # a value of another kind, deep in a document
        return Row(name, "damaged", reason=f"{reason_of(error)}. {REMEDY}", date=date)


def _unfinished(name: str, directory: RunDirectory, state: RunState, date: str) -> Row:
    config = directory.read_json("config.json")
    seconds = [one["wall_s"] for one in state.rounds if isinstance(one.get("wall_s"), int | float)]
    return Row(
        name,
        state.name,
        **_asked(config),
        fitness=str((config.get("fitness") or {}).get("name", "")),
        verdict=state.standing,
        children=_children(state.rounds),
        seconds=sum(seconds) if seconds else None,
        date=date,
    )


def _finished(name: str, directory: RunDirectory, state: RunState, date: str) -> Row:
    config, summary = directory.read_json("config.json"), directory.read_json("summary.json")
    run = Run(summary, [])
    verdict = str(run.get("verdict"))
    claims = {"Improvement": "improved", "No improvement": "not shown"}
    work = run.recorded("work")
    children = directory.table_rows("population.parquet")
    return Row(
        name,
        state.name,
        **_asked(config),
        fitness=run.fitness,
        higher_is_better=run.main.higher_is_better,
        test={one: run.test(one, run.fitness) for one in NETWORKS if one in run.networks},
        claim=next((claim for begins, claim in claims.items() if verdict.startswith(begins)), ""),
        verdict=verdict,
        children=_children(rounds_of(directory)) if children is None else children,
        seconds=work.get("wall_s"),
        images=_whole(work.get("images")),
        counted=RECORDS if run.records == RECORDS else IMAGES,
        date=date,
        measure=run.main,
    )


def _asked(config: Mapping[str, Any]) -> dict[str, Any]:
    parent = config["parent"]
    task = (config.get("task") or {}).get("name", DEFAULT_TASK)
    return {"task": shown(task, 100), "parent": shown(parent.get("name") or parent.get("source") or "", 100)}


def _children(rounds: Sequence[Mapping[str, Any]]) -> int | None:
    """That the rounds evaluated; None where none says so. The parent is a candidate of the first, or has its own."""
    found = [one.get("candidates") for one in rounds if one.get("kind") == "child"]
    counts = [one for one in found if type(one) is int]
    alone = any(one.get("kind") == "parent" for one in rounds)
    return sum(counts) - (not alone) if counts else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
