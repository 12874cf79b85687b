"""A plan in words: rows of what and how much, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from evoray.begin.check.pace import Pace
from evoray.begin.check.plan import NAMED, Place, Plan, assumed, child_of
from evoray.begin.said import listed
from evoray.config.allowed import as_toml
from evoray.runtime.reading import shown
from evoray.tasks.base import Task

UNITS = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))
MIB, MICRO = 2**20, 1e-6
"""What is smaller is not told: bytes, seconds."""
SIZES = ((2**30, "GiB"), (MIB, "MiB"))


def rows_of(plan: Plan, price: float | None) -> Iterator[tuple[str, str]]:
    """(what, how much) of everything that a user asks before a run."""
    inputs = plan.inputs
    yield "task", _task(inputs.config.task.name, inputs.task, inputs.config.fitness.name)
    numbers = sum(one.numel() for one in inputs.state.values() if one.is_floating_point())
    yield "parent", f"{shown(inputs.parent.name, 80)}: {numbers:,} numbers"
    yield from _data(plan)
    if inputs.classes is not None:
        yield "classes", _classes(plan)
    yield "child", _child(plan)
    yield "search", _search(plan)
    yield from _evaluations(plan)
    yield "memory", "not measured" if plan.pace is None else _memory(plan.pace)
    yield from _time(plan, price)


def _task(name: str, task: Task, fitness: str) -> str:
    return f"{name}, by the fitness {shown(fitness, 80)}; figures: {', '.join(task.measures)}"


def _data(plan: Plan) -> Iterator[tuple[str, str]]:
    splits = plan.inputs.splits
    what = splits.counted
    shards = len(splits.shards("select"))
    counts = sorted(plan.counts.items(), key=lambda one: one[1])
    told = ""
    if counts and len(counts) <= NAMED:
        told = f": {', '.join(f'{shown(name, 40)} {count:,}' for name, count in plan.counts.items())}"
    elif counts:
        (least, few), (most, many) = counts[0], counts[-1]
        told = f": {few:,} ({shown(least, 40)}) to {many:,} ({shown(most, 40)}) of each of {len(counts):,} classes"
    elif plan.inputs.classes is not None:
        told = f", {len(plan.inputs.classes.classes):,} classes"
    yield "select", f"{splits.images('select'):,} {what} in {shards:,} shard{'s' * (shards > 1)}{told}"
    yield "test", f"{splits.images('test'):,} {what}, opened once, when the search is over"


def _classes(plan: Plan) -> str:
    classes = plan.inputs.classes
    assert classes is not None
    chosen = range(len(classes.classes)) if classes.chosen is None else classes.chosen
    names = plan.inputs.parent.classes
    pairs = [
        f"{shown(name, 40)} is output {at}{f' ({shown(names[at], 40)})' if names and names[at] != name else ''}"
        for name, at in zip(classes.classes, chosen, strict=True)
    ]
    guess = " This is assumed: nothing says it, so look at the parent's figures below." if assumed(plan.inputs) else ""
    return f"{listed(pairs, NAMED)}; of the parent's {classes.outputs:,} outputs, {classes.how}.{guess}"


def _child(plan: Plan) -> str:
    child = child_of(plan.inputs)
    of = f"{child['weights']:,} of {child['of']:,} weights ({child['density']:.3g})"
    unit = "times each tensor's RMS" if child["scale"] == "rms" else "of each weight's own size"
    if child["kind"] == "towards":
        return f"moves all {child['of']:,} weights towards other checkpoints, sigma {as_toml(child['sigma'])}"
    sigma = "found by the run" if plan.inputs.config.mutation.sigma_is_auto else f"{as_toml(child['sigma'])} {unit}"
    return f"changes {of} by noise of sigma {sigma}; kind {shown(child['kind'], 60)}"


def _search(plan: Plan) -> str:
    search = plan.inputs.config.search
    rounds = f"{search.generations:,} generation{'s' * (search.generations > 1)}"
    race = ", racing" if search.racing else ""
    return f"{shown(search.strategy, 60)}: {search.children:,} children in {rounds}{race}"


def _evaluations(plan: Plan) -> Iterator[tuple[str, str]]:
    """All together, and each stage by itself."""
    what = plan.inputs.splits.counted
    yield "evaluations", f"{plan.passes:,} {what} through a network; {plan.evaluations:,} evaluations of one shard each"
    for one in plan.stages:
        bound = f" ({one.bound})" if one.bound else ""
        each = f"{one.candidates:,} network{'s' * (one.candidates > 1)} on {one.records:,} {what}"
        yield "", f"{one.name}: {each}{bound}"


def _memory(pace: Pace) -> str:
    parts = (
        ("networks", pace.network),
        ("records kept ready", pace.records),
        ("a batch's pass", pace.activations),
        ("Python and PyTorch", pace.bytes - pace.network - pace.records - pace.activations),
    )
    told = ", ".join(f"{what} {size(count)}" for what, count in parts if count >= MIB)
    return f"about {size(pace.bytes)} a worker: {told}"


def _time(plan: Plan, price: float | None) -> Iterator[tuple[str, str]]:
    if plan.pace is None:
        yield "time", f"not measured: {shown(plan.unmeasured)}"
    else:
        pace, parts = plan.pace, []
        if pace.record >= MICRO:
            parts.append(f"{duration(pace.record)} for {one_of(plan.inputs.splits.counted)}")
        if pace.child >= MICRO:
            parts.append(f"{duration(pace.child)} for a child and shard")
        yield "speed", f"{' and '.join(parts)} on one worker here, measured on a few"
    for place in plan.places:
        yield "time" if place.unknown or place.seconds is not None else "workers", _place(place, price)


def _place(place: Place, price: float | None) -> str:
    if place.unknown:
        return f"on {shown(place.name, 200)}: not known ({shown(place.unknown)})"
    workers = f"{place.workers:,} worker{'s' * (place.workers != 1)}"
    if place.seconds is None:
        return f"{workers} on {shown(place.name, 200)}"
    money = "" if place.money is None else f", {place.money:.2f} at {price:g} an hour for a machine"
    took = f"about {duration(place.seconds)}" if place.seconds >= 1 else "less than a second"
    return f"{took} on {shown(place.name, 200)}, with {workers}{money}"


def one_of(counted: str) -> str:
    """``an image``, ``a record``."""
    return f"{'an' if counted[0] in 'aeiou' else 'a'} {counted.removesuffix('s')}"


def duration(seconds: float) -> str:
    """``12 ms``, ``34 s``, ``2.5 h``."""
    if seconds < 1:
        return f"{1000 * seconds:.2g} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"
    size, unit = next((one for one in UNITS if seconds >= 2 * one[0]), UNITS[-1])
    return f"{seconds / size:.2g} {unit}" if seconds / size < 10 else f"{seconds / size:.0f} {unit}"


def size(count: int) -> str:
    """``1.3 GiB``, ``21 MiB``."""
    unit, name = next((one for one in SIZES if count >= one[0]), SIZES[-1])
    return f"{count / unit:.1f} {name}" if name == "GiB" or count < unit else f"{count / unit:.0f} {name}"
