"""A run's workers: what they are told, and the backend opened for it."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from evoray.backends import Backend, Job, make_backend
from evoray.backends.base import Bulk, Unit
from evoray.config import RunConfig
from evoray.config.resolve import Facts, ResolvedConfig, resolve
from evoray.errors import BackendError
from evoray.evaluation.packing import EvaluatorSource, packed_bulk, with_towards
from evoray.evaluation.program import Program
from evoray.evaluation.units.batch_size import LARGEST, TuneUnit
from evoray.evaluation.units.dtype import DtypeUnit, Found, SlowUnit
from evoray.models.precision import of_network
from evoray.runtime.auto import given
from evoray.search.inputs import Inputs, normalisation

SLOW = (
    ", so large layers take several times what they take in float32. Set compute.dtype to float32, or to auto, which "
    "times both"
)


def open_workers(
    inputs: Inputs, backend: Backend | None = None, note: Callable[[str], None] = lambda text: None
) -> tuple[Backend, ResolvedConfig]:
    """Connects (unless a backend is given), resolves the configuration for what is there, and starts the workers."""
    opened = backend or make_backend(inputs.config.compute, inputs.config_dir)
    opened.note = note
    try:
        return opened, _open(opened, inputs, note)
    except BaseException:
        if backend is None:
            opened.close()
        raise


def _open(backend: Backend, inputs: Inputs, note: Callable[[str], None]) -> ResolvedConfig:
    compute, shard = inputs.config.compute, inputs.splits.shards("select")[0]
    facts, parent = Facts(backend.has_gpu(), LARGEST, "float32"), _packed(inputs)

    def reopened(facts: Facts) -> ResolvedConfig:
        return _reopened(backend, parent, inputs, resolve(inputs.config, facts))

    config = resolve(inputs.config, facts)
    backend.open(EvaluatorSource(make_program(inputs, config), parent.key), parent)
    if given(compute.dtype) is None:
        note("looking for the fastest type")
        found = found_dtype(backend, shard)
        for line in (found.line, *of_network(inputs.parent.model, found.dtype)):
            note(line)
        facts = replace(facts, dtype=found.dtype)
        config = reopened(facts)
    elif config.compute.dtype != "float32":
        if reason := slow_dtype(backend, shard, config.compute.dtype):
            note(f"compute.dtype = {config.compute.dtype}: {reason}{SLOW}")
        config = reopened(facts)
    if given(compute.batch_size) is None:
        note("looking for the fastest batch size")
        config = reopened(replace(facts, batch_size=tuned_batch_size(backend, shard)))
    return config


def _packed(inputs: Inputs) -> Bulk:
    """The parent, and the differences of other checkpoints where the space has some."""
    parent, space = packed_bulk(inputs.parent.model, inputs.config_dir), inputs.space
    return with_towards(parent, space.towards) if space.others else parent


def _reopened(backend: Backend, parent: Bulk, inputs: Inputs, config: ResolvedConfig) -> ResolvedConfig:
    """Opens a backend that has answered a question for the run itself: its units count from here on, and what it took
    to send and build the parent is the run's as well."""
    before = backend.work
    backend.open(EvaluatorSource(make_program(inputs, config), parent.key), parent)
    for name in ("models_built", "nodes", "bytes_to_workers", "retries"):
        setattr(backend.work, name, getattr(backend.work, name) + getattr(before, name))
    return config


def make_program(inputs: Inputs, config: ResolvedConfig) -> Program:
    """The workers' share of the configuration."""
    compute = config.compute
    program = Program(
        space=inputs.space,
        seed=config.seed,
        **_on_data(inputs, config),
        device=compute.device,
        dtype=compute.dtype,
        batch_size=compute.batch_size,
        threads=compute.threads_per_worker,
        compile=compute.compile,
        deterministic=compute.deterministic,
        layout=compute.layout,
        cuda_graphs=compute.cuda_graphs,
        resident_gib=given(compute.resident_gib),
        keep_activations=compute.keep_activations,
        config_dir=os.path.abspath(inputs.config_dir) if inputs.config_dir else None,
        code=inputs.code,
    )
    own = {"keep_activations": False, "guards": {}}  # few children are judged by a guard
    guards = {one.name: replace(program, **_on_data(one.inputs, one.inputs.config) | own) for one in inputs.guards}
    return replace(program, guards=guards)


def _on_data(inputs: Inputs, config: RunConfig) -> dict[str, Any]:
    """What of a program depends on data and task."""
    mean, std = normalisation(inputs.parent, inputs.splits.datasets["select"].image_shape[0])
    return {
        "mean": mean,
        "std": std,
        "data": _absolute(config, inputs.config_dir),
        "fitness": inputs.fitness,
        "task": config.task.name,
        "task_settings": config.task.settings,
        "of_parent": getattr(inputs.task, "of_parent", None),
    }


def _absolute(config: RunConfig, config_dir: Path | None) -> Any:
    """Workers have another working directory, so local paths are made absolute."""
    update: dict[str, str] = {}
    for key in ("path", "test_path"):
        value = getattr(config.data, key)
        if value is not None and os.path.isdir(value):
            update[key] = os.path.abspath(value)
    return config.data.model_copy(update=update)


def found_dtype(backend: Backend, shard: int) -> Found:
    """Asks one worker of an open backend. Raises BackendError when it died of the question."""
    return _asked(backend, DtypeUnit("select", shard), 'compute.dtype = "auto": no type', "one")  # type: ignore[no-any-return]


def slow_dtype(backend: Backend, shard: int, dtype: str) -> str:
    """Why a worker computes slowly in a type; empty where it does not, and where it could not be asked."""
    try:
        return str(_asked(backend, SlowUnit(dtype, shard), dtype, "another"))
    except BackendError:  # whatever is wrong with the worker, the run itself will say it
        return ""


def tuned_batch_size(backend: Backend, shard: int) -> int:
    """Asks one worker of an open backend. Raises BackendError when it died of the question."""
    return int(_asked(backend, TuneUnit("select", shard), 'compute.batch_size = "auto": no size', "a number"))


def _asked(backend: Backend, unit: Unit, what: str, remedy: str) -> Any:
    """The value of one unit, on any worker. What it takes says nothing of how long a run's units take, so it is a job
    of a split of its own."""
    for outcome in backend.run(Job({unit.shard: [0]}, lambda number, items: unit, split="trial")):
        if outcome.failure is not None:
            raise BackendError(f"{what} could be tried ({outcome.failure}). Set {remedy}.")
        return outcome.value
    raise BackendError(f"{what} could be tried, for no worker answered. Set {remedy}.")
