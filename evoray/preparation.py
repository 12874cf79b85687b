"""Before a run: every input looked at, every ``"auto"`` resolved, nothing written yet."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evoray.backends import Backend, make_backend
from evoray.config import RunConfig
from evoray.data import normalise
from evoray.data.splits import Splits
from evoray.errors import ConfigError, DataError, ModelError
from evoray.evaluation.program import Program
from evoray.evaluation.units.batch_size import LARGEST
from evoray.fitness import Fitness, FitnessSpec, fitness_spec, is_mean_of_images
from evoray.models import (
    Parent,
    canonical_state,
    check_outputs,
    import_function,
    load_parent,
    mutable_names,
    outputs_of,
)
from evoray.mutation import Space, tensors_sha256
from evoray.statistics import top_k
from evoray.strategies import make_strategy
from evoray.tuning import tuned_batch_size


@dataclass(frozen=True)
class Inputs:
    """What a run starts from, checked.

    state: the parent's tensors under their canonical names; aliases: further names of tied tensors.
    """

    config: RunConfig
    config_dir: Path | None
    parent: Parent
    state: dict[str, Tensor]
    aliases: dict[str, str]
    space: Space
    splits: Splits
    fitness: FitnessSpec

    def identity(self) -> dict[str, Any]:
        """Digests that a resumed run must find unchanged."""
        return {
            "parent": tensors_sha256(self.state),
            "space": self.space.sha256,
            "data": {name: one.digest for name, one in self.splits.described.items()},
            "torch": torch.__version__,
        }


def check_inputs(config: RunConfig, config_dir: Path | None) -> Inputs:
    """Loads parent and data, and refuses what cannot end well; raises UsageError kinds only."""
    splits = Splits(config.data, config.seed, config_dir)
    spec = fitness_spec(config.fitness, splits.described["select"].classes, config_dir)
    fitness = spec.make(lambda name: import_function(name, config_dir))
    for split in ("select", "test"):
        if splits.images(split) == 0:
            raise DataError(
                f"data.{split}: no images ({config.data.path} holds {splits.described[split].rows}). "
                f"Raise data.{split} or ingest more images."
            )
    if config.search.racing:
        _check_racing(config, fitness, splits.images("select"))
    parent = load_parent(config.parent, config_dir, seed=config.seed)
    state, aliases = canonical_state(parent.model)
    names = mutable_names(parent.model, config.mutation.include, config.mutation.exclude)
    space = Space.from_state(state, names, config.mutation.scale)
    if config.mutation.parts > space.n:
        raise ConfigError(
            f"mutation.parts = {config.mutation.parts} is more than the {space.n} weights that may be mutated: "
            "some children would equal their parent. Lower parts, or include more tensors."
        )
    config, splits = _by_outputs(config, config_dir, parent, splits)
    spec = fitness_spec(config.fitness, splits.described["select"].classes, config_dir)
    return Inputs(config, config_dir, parent, state, aliases, space, splits, spec)


def _check_racing(config: RunConfig, fitness: Fitness, images: int) -> None:
    search = config.search
    if not is_mean_of_images(fitness):
        raise ConfigError(
            f"search.racing = true: fitness.name = {config.fitness.name!r} is no mean of images or has constraints, so "
            "children cannot be told apart by some images. Switch racing off, or use a fitness that scores each image."
        )
    if search.budget_images is None:
        return
    looks = top_k.schedule(images)
    to_the_end = min(search.children, max(config.ensemble.size, make_strategy(config.with_sigma(1)).elite))
    least = search.generations * (search.children * looks[0] + to_the_end * (images - looks[0]))
    if search.budget_images < least:
        raise ConfigError(
            f"search.budget_images = {search.budget_images}: {search.generations} x {search.children} children on a "
            f"first look of {looks[0]} images, and the best {to_the_end} of them on all {images}, cost {least}. Raise "
            "it, or lower search.children."
        )


def _by_outputs(config: RunConfig, config_dir: Path | None, parent: Parent, splits: Splits) -> tuple[RunConfig, Splits]:
    """Labels as the parent's outputs, and the configuration that says so; raises DataError where names differ."""
    chosen = config.data.outputs
    classes = splits.datasets["select"].classes
    outputs = _check_forward(parent, splits, len(classes) if chosen == "in-order" else 1)
    if not isinstance(chosen, str):
        if max(chosen) >= outputs:
            raise ConfigError(
                f"data.outputs: {max(chosen)} is none of the parent's {outputs} outputs (0 to {outputs - 1})."
            )
        return config, splits
    found = None
    if chosen == "auto" and not config.data.path.startswith("mock:"):
        found = outputs_of(classes, parent.classes, outputs)
    if found is None:
        if outputs < len(classes):
            _check_forward(parent, splits, len(classes))
        return config, splits
    config = config.model_copy(update={"data": config.data.model_copy(update={"outputs": found})})
    return config, Splits(config.data, config.seed, config_dir)


def _check_forward(parent: Parent, splits: Splits, classes: int) -> int:
    """One forward pass of two images: the shape fits, and there are enough outputs; returns how many."""
    dataset = splits.datasets["select"]
    mean, std = normalisation(parent, dataset.image_shape[0])
    own, other = splits.described["select"], splits.described["test"]
    if (other.image_shape, other.classes) != (own.image_shape, own.classes):
        raise DataError(
            f"data.test_path: its images {other.image_shape} or its {len(other.classes)} classes are not those of "
            f"data.path ({dataset.image_shape}, {len(dataset.classes)} classes). Ingest both in the same way."
        )
    images = torch.from_numpy(dataset.load(splits.shards("select")[0]).images[:2].copy())
    return check_outputs(parent.model, normalise(images, mean, std, torch.float32), classes)


def normalisation(parent: Parent, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The parent's (mean, std), identity where it has none; ModelError when the channels do not fit."""
    mean, std = parent.preprocessing.mean, parent.preprocessing.std
    if mean is None or std is None:
        return (0.0,) * channels, (1.0,) * channels
    if len(mean) != channels:
        raise ModelError(
            f"the parent {parent.name} normalises {len(mean)} channels, the images have {channels}. "
            f"Ingest with --channels {len(mean)}, or set parent.mean and parent.std."
        )
    return mean, std


def open_backend(
    inputs: Inputs, given: Backend | None = None, note: Callable[[str], None] = lambda text: None
) -> tuple[Backend, Inputs, Program]:
    """Connects (unless a backend is given), resolves every ``"auto"`` for what is there, and starts the workers."""
    compute = inputs.config.compute
    backend = given or make_backend(compute)
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
        program = make_program(inputs)
        backend.open(inputs.parent.model, program)
        if compute.batch_size == "auto":
            note("looking for the fastest batch size")
            size = tuned_batch_size(backend, inputs.splits.shards("select")[0])
            config = config.model_copy(update={"compute": config.compute.model_copy(update={"batch_size": size})})
            inputs = Inputs(**{**vars(inputs), "config": config})
            program = make_program(inputs)
            backend.open(inputs.parent.model, program)
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
