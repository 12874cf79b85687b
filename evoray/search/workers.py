"""A run's workers: what they are told, and the backend opened for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from evoray.backends import Backend, Job, make_backend
from evoray.config import RunConfig
from evoray.config.resolve import Facts, ResolvedConfig, resolve
from evoray.errors import BackendError
from evoray.evaluation.packing import EvaluatorSource, packed_bulk
from evoray.evaluation.program import Program
from evoray.evaluation.units.batch_size import LARGEST, TuneUnit
from evoray.runtime.auto import given
from evoray.search.inputs import Inputs, normalisation


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
    facts, parent = Facts(backend.has_gpu(), LARGEST), packed_bulk(inputs.parent.model, inputs.config_dir)
    config = resolve(inputs.config, facts)
    backend.open(EvaluatorSource(make_program(inputs, config), parent.key), parent)
    if given(inputs.config.compute.batch_size) is None:
        note("looking for the fastest batch size")
        size = tuned_batch_size(backend, inputs.splits.shards("select")[0])
        config = resolve(inputs.config, replace(facts, batch_size=size))
        backend.open(EvaluatorSource(make_program(inputs, config), parent.key), parent)
    return config


def make_program(inputs: Inputs, config: ResolvedConfig) -> Program:
    """The workers' share of the configuration."""
    compute = config.compute
    mean, std = normalisation(inputs.parent, inputs.splits.datasets["select"].image_shape[0])
    return Program(
        space=inputs.space,
        mean=mean,
        std=std,
        data=_absolute(config, inputs.config_dir),
        seed=config.seed,
        fitness=inputs.fitness,
        task=config.task.name,
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


def _absolute(config: RunConfig, config_dir: Path | None) -> Any:
    """Workers have another working directory, so local paths are made absolute."""
    update: dict[str, str] = {}
    for key in ("path", "test_path"):
        value = getattr(config.data, key)
        if value is not None and os.path.isdir(value):
            update[key] = os.path.abspath(value)
    return config.data.model_copy(update=update)


def tuned_batch_size(backend: Backend, shard: int) -> int:
    """Asks one worker of an open backend. Raises BackendError when it died of the question."""
    job = Job({shard: [0]}, lambda number, items: TuneUnit("select", number))
    for outcome in backend.run(job):
        if outcome.failure is not None:
            raise BackendError(
                f'compute.batch_size = "auto": no size could be tried ({outcome.failure}). Set a number.'
            )
        return int(outcome.value)
    raise BackendError('compute.batch_size = "auto": no worker answered. Set a number.')
