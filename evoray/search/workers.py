"""A run's workers: what they are told, and the backend opened for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evoray.backends import Backend, Job, make_backend
from evoray.config import RunConfig
from evoray.errors import BackendError, ConfigError
from evoray.evaluation.packing import EvaluatorSource, packed_bulk
from evoray.evaluation.program import Program
from evoray.evaluation.units.batch_size import LARGEST, TuneUnit
from evoray.search.inputs import Inputs, normalisation


def open_backend(
    inputs: Inputs, given: Backend | None = None, note: Callable[[str], None] = lambda text: None
) -> tuple[Backend, Inputs, Program]:
    """Connects (unless a backend is given), resolves every ``"auto"`` for what is there, and starts the workers."""
    compute = inputs.config.compute
    backend = given or make_backend(compute, inputs.config_dir)
    backend.note = note
    try:
        device = compute.device
        if device == "auto":
            device = "cuda" if backend.has_gpu() else "cpu"
        elif device.startswith("cuda") and not backend.has_gpu():
            raise ConfigError(f"compute.device = {device!r}: no GPU there. Set it to auto or cpu.")
        if compute.cuda_graphs and device == "cpu":
            raise ConfigError("compute.cuda_graphs = true: needs a GPU, the device is cpu. Leave it out.")
        resolved = {
            "device": device,
            "threads_per_worker": compute.threads_per_worker
            if compute.threads_per_worker != "auto"
            else max(1, int(compute.cpus_per_worker)),
            "gpus_per_worker": compute.gpus_per_worker
            if compute.gpus_per_worker != "auto"
            else (1.0 if device != "cpu" else 0.0),
        }
        config = inputs.config.model_copy(update={"compute": compute.model_copy(update=resolved)})
        inputs = Inputs(**{**vars(inputs), "config": config})
        program, parent = make_program(inputs), packed_bulk(inputs.parent.model)
        backend.open(EvaluatorSource(program, parent.key), parent)
        if compute.batch_size == "auto":
            note("looking for the fastest batch size")
            size = tuned_batch_size(backend, inputs.splits.shards("select")[0])
            config = config.model_copy(update={"compute": config.compute.model_copy(update={"batch_size": size})})
            inputs = Inputs(**{**vars(inputs), "config": config})
            program = make_program(inputs)
            backend.open(EvaluatorSource(program, parent.key), parent)
    except BaseException:
        if given is None:
            backend.close()
        raise
    return backend, inputs, program


def make_program(inputs: Inputs) -> Program:
    """The workers' share of the configuration; ``compute`` must be resolved."""
    config, compute = inputs.config, inputs.config.compute
    mean, std = normalisation(inputs.parent, inputs.splits.datasets["select"].image_shape[0])
    threads = compute.threads_per_worker
    assert threads != "auto"
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
        batch_size=LARGEST if compute.batch_size == "auto" else compute.batch_size,
        threads=threads,
        compile=compute.compile,
        deterministic=compute.deterministic,
        layout=compute.layout,
        cuda_graphs=compute.cuda_graphs,
        resident_gib=compute.resident_gib,
        config_dir=os.path.abspath(inputs.config_dir) if inputs.config_dir else None,
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
