"""A run's events as its watchers are told them, made by hand."""

from __future__ import annotations

from evoray.runtime.events import Noted, RoundDone, RunStarted, Seen, StageProgress, StageStarted, WorkersChanged
from evoray.watching.live import Live
from evoray.watching.view import View

NLL = {
    "name": "nll",
    "label": "NLL",
    "unit": "nats per image",
    "higher_is_better": False,
    "short": "NLL",
    "said": "NLL",
}
CONFIG = {
    "parent": {"name": "small", "weights": None},
    "data": {"path": "shards"},
    "mutation": {"sigma": 0.1},
    "search": {"children": 4, "generations": 3},
    "fitness": {"name": "nll"},
}


IDENTITY = {"run_id": "ab" * 16, "parent": "x", "space": "x", "data": {}, "config": CONFIG}


class Clock:
    """Seconds, moved by hand."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


def started(**changes):
    return RunStarted("ab" * 16, "runs/x", CONFIG | changes, False, "images", NLL)


def stage(generation=0, networks=5, shards=2, known=0, images=100):
    each = networks * shards - known
    return StageStarted(f"g{generation:04d}/child", "child", each, known, shards, images * networks, "images")


def seen(generation, values, blocks=None):
    names = [f"g{generation:04d}/c{number:04d}" for number in range(len(values))]
    return tuple(
        Seen(name, "child", value, None if blocks is None else blocks[number])
        for number, (name, value) in enumerate(zip(names, values, strict=True))
    )


def round_done(generation, values, *, parent=None, blocks=None, wall_s=10.0):
    candidates = seen(generation, values, blocks)
    if parent is not None:
        candidates = (Seen("parent", "parent", parent), *candidates)
    able = [one.value for one in candidates if one.value is not None]
    return RoundDone(
        generation,
        "child",
        len(candidates),
        len(candidates) - len(able),
        -min(able, default=0),
        -sum(able) / max(1, len(able)),
        wall_s,
        figures={"best": {"nll": min(able)}, "mean": {"nll": sum(able) / len(able)}} if able else {},
        seen=candidates,
    )


def a_run():
    """Of three generations the first and half of the second."""
    yield Noted("checking the parent and the data")
    yield started()
    yield WorkersChanged({"ready": 2, "starting": 1})
    yield stage()
    yield from [StageProgress(1)] * 10
    yield round_done(0, [0.5, 0.3, None, 0.4], parent=0.45)
    yield stage(1, networks=4)
    yield from [StageProgress(1)] * 4


def live():
    """What has been gathered of ``a_run``."""
    live = Live()
    for event in a_run():
        live.observe(event)
    return live


def view(**changes):
    """Of it while it runs; ``live`` changes keys of its document."""
    made = live()
    document = made.document() | changes.pop("live", {})
    return View(
        **{"location": "x", "state": "running", "config": CONFIG, "live": document, "rounds": made.rounds} | changes
    )
