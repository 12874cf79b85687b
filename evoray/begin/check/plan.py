"""What a run will do, in numbers and words: the document that ``evoray check`` prints and gives as JSON."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evoray.begin.check.pace import Pace, measured
from evoray.begin.check.work import Stage, stages_of
from evoray.begin.cluster import Cluster
from evoray.begin.machine import usable_cores
from evoray.config.resolve import Facts, ResolvedConfig, resolve
from evoray.data import Remote, place_of
from evoray.errors import EvorayError
from evoray.evaluation.units.batch_size import LARGEST
from evoray.runtime.auto import given
from evoray.runtime.reading import reason_of
from evoray.search.inputs import Inputs

NAMED = 6
"""Classes that are told with their outputs."""
HOUR = 3600
COUNTED = 2**31
"""Bytes of images whose labels are counted; they are read with their shards, whose digests are checked."""


@dataclass(frozen=True)
class Place:
    """Where a run could be: so many workers, for so many seconds. money: what they cost; None where no price is said.
    unknown: why there is no estimate."""

    name: str
    workers: int
    seconds: float | None
    money: float | None = None
    unknown: str = ""


@dataclass(frozen=True)
class Plan:
    """Everything that is known of a run before it begins."""

    inputs: Inputs
    resolved: ResolvedConfig
    stages: Sequence[Stage]
    pace: Pace | None
    places: Sequence[Place]
    counts: dict[str, int] = field(default_factory=dict)
    unmeasured: str = ""
    """Why there is no pace."""

    @property
    def passes(self) -> int:
        return sum(stage.passes for stage in self.stages)

    @property
    def evaluations(self) -> int:
        return sum(stage.evaluations for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        inputs = self.inputs
        return {
            "task": inputs.config.task.name,
            "fitness": inputs.config.fitness.name,
            "parent": inputs.parent.name,
            "weights": inputs.space.n,
            "data": {split: {inputs.splits.counted: inputs.splits.images(split)} for split in ("select", "test")}
            | {"shards": len(inputs.splits.shards("select")), "select_classes": self.counts},
            "classes": None if inputs.classes is None else {**inputs.classes.to_dict(), "assumed": assumed(inputs)},
            "child": child_of(inputs),
            "memory_bytes_per_worker": self.pace and self.pace.bytes,
            "stages": [{**vars(one), "passes": one.passes} for one in self.stages],
            "evaluations": self.evaluations,
            "passes": self.passes,
            "pace": self.pace and vars(self.pace),
            "places": [vars(place) for place in self.places],
            "notes": [*inputs.notes, *inputs.said.trial],
        }


def plan_of(inputs: Inputs, cluster: Cluster | None, price: float | None) -> Plan:
    """The plan of a run whose inputs are checked.

    Args:
        cluster: the Ray cluster that there is. price: what an hour of one machine costs.

    Raises:
        ConfigError: what is asked for is not here, nor on the cluster.
    """
    has_gpu = torch.cuda.is_available() or bool(cluster and cluster.total("GPU"))
    resolved = resolve(inputs.config, Facts(has_gpu, LARGEST, "float32"))
    stages = stages_of(inputs)
    pace, why = _paced(inputs, resolved)
    passes, evaluations = sum(one.passes for one in stages), sum(one.evaluations for one in stages)
    seconds = None if pace is None else pace.seconds(evaluations, passes)
    places = [_here(resolved, seconds, price), *_there(resolved, cluster, seconds, price, pace)]
    return Plan(inputs, resolved, stages, pace, places, class_counts(inputs), why)


def _paced(inputs: Inputs, resolved: ResolvedConfig) -> tuple[Pace | None, str]:
    if resolved.compute.device.startswith("cuda") and not torch.cuda.is_available():
        return None, "the run computes on GPUs, and this machine has none to measure"
    try:
        return measured(inputs, resolved), ""
    except EvorayError as error:
        return None, str(error)
    except Exception as error:  # of a user's network or fitness, which the workers will name with the child and shard
        return None, reason_of(error)


def _here(config: ResolvedConfig, seconds: float | None, price: float | None) -> Place:
    """On this machine: as many workers as fit on its cores; more than that gain nothing."""
    compute = config.compute
    if compute.device.startswith("cuda"):
        room = max(1, int(torch.cuda.device_count() / max(compute.gpus_per_worker, 1e-9)))
    else:
        room = max(1, int(usable_cores() / max(compute.cpus_per_worker, compute.threads_per_worker)))
    workers = given(compute.workers) or room
    took = None if seconds is None else seconds / min(workers, room)
    return Place("this machine", workers, took, _money(took, price))


def _there(
    config: ResolvedConfig, cluster: Cluster | None, seconds: float | None, price: float | None, pace: Pace | None
) -> Iterator[Place]:
    if cluster is None:
        return
    name = f"the cluster at {cluster.address}"
    if cluster.error:
        yield Place(name, 0, None, unknown=cluster.error)
        return
    compute = config.compute
    room = cluster.holds(compute.cpus_per_worker, compute.gpus_per_worker)
    workers = min(given(compute.workers) or room, room)
    if not workers or seconds is None:
        yield Place(name, workers, None, unknown="no node can hold one worker" if not workers else "not measured here")
        return
    took = seconds / workers
    yield Place(f"{name} ({cluster.words})", workers, took, _money(took, price, len(cluster.nodes)))


def _money(seconds: float | None, price: float | None, machines: int = 1) -> float | None:
    return None if seconds is None or price is None else seconds / HOUR * price * machines


def class_counts(inputs: Inputs) -> dict[str, int]:
    """Records of ``select`` a class, by name; empty where records have no classes, or looking at them takes long. Those
    of ``test`` are not looked at before a search is over."""
    splits = inputs.splits
    if inputs.classes is None or _takes_long(inputs):
        return {}
    names = inputs.splits.described["select"].classes
    total = np.zeros(len(names), dtype=np.int64)
    for shard in splits.shards("select"):
        records, rows = splits.datasets["select"].load(shard), splits.rows["select"][shard]
        labels = inputs.task.targets(records, rows, torch.device("cpu")).numpy()
        total += np.bincount(labels, minlength=len(names))[: len(names)]
    chosen = range(len(names)) if inputs.classes.chosen is None else inputs.classes.chosen
    return {name: int(total[output]) for name, output in zip(inputs.classes.classes, chosen, strict=True)}


def _takes_long(inputs: Inputs) -> bool:
    """Whether shards would be fetched, made up, or are too many to be read twice."""
    path, whole = inputs.config.data.path, inputs.splits.described["select"]
    size = whole.rows * max(math.prod(whole.image_shape), 1)
    return path.startswith("mock:") or isinstance(place_of(path), Remote) or size > COUNTED


def assumed(inputs: Inputs) -> bool:
    """Whether the classes' outputs are the only reading that there is, and nobody has said them."""
    return inputs.classes is not None and inputs.classes.how.startswith("in order:")


def child_of(inputs: Inputs) -> dict[str, Any]:
    """How many weights a child changes, of how many, and by how much."""
    mutation, n = inputs.config.mutation, inputs.space.n
    return {
        "kind": mutation.kind,
        "weights": max(1, round(n / mutation.disjoint)),
        "of": n,
        "density": 1 / mutation.disjoint,
        "sigma": list(sigma) if isinstance(sigma := mutation.sigma, tuple) else sigma,
        "scale": mutation.scale,
    }


def default_out(path: Path) -> str:
    """Where ``evoray run`` writes unless it is told."""
    return os.path.join("runs", path.stem)
