"""What the scenarios are made of: the run, the cluster, and what happens to them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from machines import HEALTH as HEALTH
from machines import Machines as Machines

from evoray.config import parse_config
from evoray.demo import demo_config
from evoray.runtime.progress import Progress

GENERATIONS, CHILDREN, SLEEP = 2, 24, 0.05


class Seen(NamedTuple):
    """One evaluation, by whom, of which network on which shard."""

    at: float
    pid: int
    node: str
    what: str


class Scene:
    """The folder in which workers find the user's fitness function, and the run's files."""

    def __init__(self, folder: Path, parent: Path) -> None:
        self.folder, self.parent, self.evaluations = folder, parent, 0
        shutil.copy(Path(__file__).with_name("trouble.py"), folder / "trouble.py")
        self.clear()

    def clear(self) -> None:
        shutil.rmtree(self.folder / "seen", ignore_errors=True)
        (self.folder / "seen").mkdir()
        for name in ("poison.json", "hog", "hog-eaten"):
            (self.folder / name).unlink(missing_ok=True)
        self.slow(SLEEP)

    def slow(self, seconds):
        """How long an evaluation takes from now on."""
        (self.folder / "sleep").write_text(str(seconds))

    def config(self, backend="ray", generations=GENERATIONS, **compute):
        values = demo_config(0, self.parent, backend).model_dump()
        values["data"] |= {"select": 0.1, "test": 0.1}  # shards of more images than a trial has
        values["search"] |= {"children": CHILDREN, "generations": generations}
        values["ensemble"] |= {"size": 3}
        values["fitness"] = {"name": "trouble:fitness"}
        values["compute"] |= compute
        return parse_config(values)

    def seen(self) -> list[Seen]:
        parts = [path.name.split("_") for path in (self.folder / "seen").iterdir()]
        return sorted(Seen(float(at), int(pid), node, what) for at, pid, node, what, _ in parts)


class At(Progress):
    """Does something, once, when so many evaluations are done, and something when the run says certain words.

    Both happen in the thread that runs ``evolve``: the cluster's nodes can only be started from the main one.
    """

    def __init__(self, count, action, words="", then=None):
        self.count, self.action, self.words, self.then = count, action, words, then
        self.notes, self.done = [], 0

    def advance(self, count):
        self.done += count
        if self.action is not None and self.done >= self.count:
            action, self.action = self.action, None
            action()

    def note(self, text):
        self.notes.append(text)
        if self.then is not None and self.words in text:
            then, self.then = self.then, None
            then()


def outputs(result):
    """Everything that must not depend on what happened on the way."""
    directory = result.directory
    lineages = [f"lineage/{name}" for name in directory.names("lineage") if name.endswith(".json")]
    for generation in range(GENERATIONS):
        folder = f"lineage/g{generation:04d}"
        lineages += [f"{folder}/{name}" for name in directory.names(folder)]
    names = ("population.parquet", "predictions.parquet", "ensemble.json", *lineages)
    return {name: directory.read(name) for name in names}


def assert_same(result, reference):
    found = outputs(result)
    assert found.keys() == reference.keys()
    assert [name for name in found if found[name] != reference[name]] == []
