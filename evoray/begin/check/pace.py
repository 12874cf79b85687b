"""How fast a worker of this machine is, and what it holds: measured with an evaluator as workers build it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from evoray.config.resolve import ResolvedConfig
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.packing import EvaluatorSource, packed_bulk, with_towards
from evoray.evaluation.program import DTYPES, Program
from evoray.evaluation.settings import like_a_worker
from evoray.evaluation.shard_cache import budget_bytes
from evoray.evaluation.units.children import Candidate, ChildrenUnit, Rows
from evoray.mutation import Entry, Lineage
from evoray.search.inputs import Inputs
from evoray.search.workers import make_program
from evoray.strategies import draw_mutation

FEW, MOST = 4, 256
"""Records of the first children, and of the others at most."""
SLOW, SECONDS = 3.0, 0.5
"""A first child that takes longer is not evaluated again; what one of the others may take."""
LIVE = 1.5
"""What a pass holds beside the inputs and the output of one layer, such as a shortcut's."""
PROCESS = 450 * 2**20
"""Bytes of a worker before it holds anything: Python, PyTorch and Ray."""


@dataclass(frozen=True)
class Pace:
    """What a worker takes and holds, as measured here.

    child: seconds of one child on one shard, however many records; record: of each record. Both on the threads of one
    worker. network, records, activations: bytes of its networks, of the batches that it keeps ready, and of the layers
    of one pass.
    """

    child: float
    record: float
    device: str
    network: int = 0
    records: int = 0
    activations: int = 0

    def seconds(self, evaluations: int, passes: int) -> float:
        """Of one worker alone. evaluations: children x shards; passes: children x records."""
        return self.child * evaluations + self.record * passes

    @property
    def bytes(self) -> int:
        return PROCESS + self.network + self.records + self.activations


def measured(inputs: Inputs, config: ResolvedConfig) -> Pace:
    """Of the run's own children on the first shard of ``select``; raises what the network or the fitness raises."""
    program = replace(make_program(inputs, config), compile=False, cuda_graphs=False, guards={})
    with like_a_worker(program):
        evaluator = _evaluator(inputs, program)
        shard = inputs.splits.shards("select")[0]
        rows = len(inputs.splits.rows["select"][shard])
        held = {"network": _network(inputs, program), "records": _records(inputs, evaluator, shard)}
        child = _Child(evaluator, config, shard)
        with _largest(evaluator.host.model) as largest:
            first, seen = child.seconds(min(FEW, rows)), min(FEW, rows)
        held["activations"] = int(LIVE * max(largest, default=0) / seen * min(config.compute.batch_size, rows))
        return Pace(*_fitted(child, first, seen, rows, config.compute.batch_size), program.device, **held)


def _fitted(child: _Child, first: float, few: int, rows: int, batch: int) -> tuple[float, float]:
    """Seconds a child and a record, from children on few and on more records: the faster of two, for other programs
    slow some of them down; before that each size is met once."""
    if first > SLOW:
        return 0.0, first / few
    short = min(child.seconds(few), child.seconds(few))
    more = min(rows, MOST, max(few, int(few * SECONDS / max(short, 1e-6))))
    if more < 2 * few:
        return 0.0, short / few
    child.seconds(more)
    long = min(child.seconds(more), child.seconds(more))
    record = max((long - short) / (more - few), 1e-9)
    return max(short - few * record, 0.0), record


class _Child:
    """Children of the run, each another one, on some rows of a shard, drawn and written as on a worker."""

    def __init__(self, evaluator: Evaluator, config: ResolvedConfig, shard: int) -> None:
        self._evaluator, self._config, self._shard, self._number = evaluator, config, shard, 0

    def seconds(self, rows: int) -> float:
        config = self._config
        sigma = config.mutation.one_sigma or 0.1
        mutation = draw_mutation(config.mutation, sigma, config.seed, 0, self._number)
        self._number += 1
        trial = (Candidate("trial", (Entry(1.0, mutation),)),)
        unit = ChildrenUnit(Lineage(), trial, "select", self._shard, Rows(f"trial/{rows}", 0, rows))
        started = time.perf_counter()
        unit.run(self._evaluator)
        return time.perf_counter() - started


def _evaluator(inputs: Inputs, program: Program) -> Evaluator:
    bulk = packed_bulk(inputs.parent.model, inputs.config_dir)
    if inputs.space.others:
        bulk = with_towards(bulk, inputs.space.towards)
    return EvaluatorSource(program, bulk.key).build(bulk.value)


def _network(inputs: Inputs, program: Program) -> int:
    """The base and, from the second one on, the parent in float32, and the buffer in the type of evaluation."""
    n, own = inputs.space.n, sum(tensor.nbytes for tensor in inputs.state.values())
    buffer = n * DTYPES[program.dtype].itemsize
    towards = 4 * n * len(inputs.space.others)
    return 8 * n + buffer + max(own - 4 * n, 0) + towards


def _records(inputs: Inputs, evaluator: Evaluator, shard: int) -> int:
    """Of all of ``select``, up to what a worker may keep."""
    records = inputs.splits.datasets["select"].load(shard)
    wanted = inputs.task.batch_bytes(records, inputs.splits.images("select"), evaluator.preparation)
    return min(wanted, budget_bytes(evaluator.program.resident_gib, evaluator.device))


@contextmanager
def _largest(model: nn.Module) -> Iterator[list[int]]:
    """Of each layer that is called meanwhile, the bytes of what goes in and what comes out."""
    found: list[int] = []

    def note(_: nn.Module, given: Any, answer: Any) -> None:
        found.append(sum(one.nbytes for one in tree_leaves((given, answer)) if isinstance(one, Tensor)))

    hooks = [one.register_forward_hook(note) for one in model.modules() if not any(True for _ in one.children())]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
