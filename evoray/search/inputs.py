"""Before a run: every input is looked at, and nothing is written yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evoray.config import RunConfig
from evoray.data import normalise
from evoray.data.checks.described import check_columns
from evoray.data.splits import Splits
from evoray.ensembles.fitting import check_ensemble
from evoray.errors import ConfigError, DataError, ModelError
from evoray.evaluation.judging import by_depth, judge, takes_logits, with_fitting_layout
from evoray.evaluation.kept.keeper import REPEATS
from evoray.evaluation.speaking.parents import speaking
from evoray.fitness import Fitness, FitnessSpec, fitness_spec
from evoray.models import ClassMap, Parent, canonical_state, check_outputs, load_parent, mutable_names
from evoray.models.answers import check_call
from evoray.models.checkpoints.others import identity_of, said_of, with_checkpoints
from evoray.models.onnx.settings import fitting
from evoray.models.precision import of_network
from evoray.models.transformers.matching import check_text
from evoray.mutation import Space, tensors_sha256
from evoray.runtime.auto import given
from evoray.runtime.importing import code_of, import_function
from evoray.runtime.malloc import freed_memory_kept
from evoray.runtime.reading import quoted, shown
from evoray.search.announce import Announced, announced
from evoray.search.class_outputs import by_outputs, data_classes
from evoray.search.guards.checked import Guard, guards_identity, with_guards
from evoray.search.trial import MANY, OneOutput, Trial
from evoray.search.user_code import user_modules
from evoray.statistics import top_k
from evoray.strategies import STRATEGIES, make_strategy
from evoray.tasks.base import Task
from evoray.tasks.opening import opening_of
from evoray.tasks.registry import TASKS, make_task, of_run


@dataclass(frozen=True)
class Inputs:
    """What a run starts from, checked.

    state: the parent's tensors under their canonical names; aliases: further names of tied tensors. code: the user's
    modules and their digests. notes: what a user should know of them, a sentence each.
    """

    config: RunConfig
    config_dir: Path | None
    parent: Parent
    state: dict[str, Tensor]
    aliases: dict[str, str]
    space: Space
    splits: Splits
    task: Task
    fitness: FitnessSpec
    code: Mapping[str, str]
    classes: ClassMap | None = None
    """Which outputs the data's classes are; None where outputs are no classes."""
    said: Announced = field(default_factory=Announced)
    notes: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()

    def identity(self) -> dict[str, Any]:
        """Digests that a resumed run must find unchanged."""
        return {
            "parent": tensors_sha256(self.state),
            **identity_of(self.space),
            "space": self.space.sha256,
            "data": {name: one.digest for name, one in self.splits.described.items()},
            "torch": torch.__version__,
            "code": dict(self.code),
            "strategy": STRATEGIES.of(self.config.search).revision,
            **({"reference": self.fitness.digest} if self.fitness.digest else {}),
            **guards_identity(self.guards),
        }


def check_inputs(config: RunConfig, config_dir: Path | None, run: Inputs | None = None) -> Inputs:
    """Loads parent and data, and refuses what cannot end well; raises UsageError kinds only.

    run: whose parent is looked at on other data, where these are a guard's.
    """
    with freed_memory_kept():  # a handful of copies of the network, and some passes: one after the other
        opened = open_data(config, config_dir)
        for check in CHECKS:
            check(opened)
        parent = run.parent if run else load_parent(config.parent, config_dir, seed=config.seed)
        return together(opened, parent, run)


@dataclass(frozen=True)
class Opened:
    """A run's task and data, before its parent is looked at."""

    config: RunConfig
    config_dir: Path | None
    task: Task
    splits: Splits


def open_data(config: RunConfig, config_dir: Path | None) -> Opened:
    """The task for the data's classes, and the data's splits. Raises ConfigError, DataError where either is none."""
    task = make_task(config.task.name, config_dir, config.task.settings)
    config = with_own_fitness(config, task)
    splits = Splits(config.data, config.seed, config_dir)
    return Opened(config, config_dir, of_run(task, splits.described["select"].classes), splits)


def _check_fitness(data: Opened) -> None:
    _fitness(data.config, data.config_dir, data.task, data.splits)


def _check_records(data: Opened) -> None:
    """Raises DataError where the shards' recorded columns are not what the task asks for."""
    config, task = data.config, data.task
    check_ensemble(config, task)
    if task.classification is None and not isinstance(config.data.outputs, str):
        raise ConfigError(f"data.outputs: {config.task.name} has no classes whose outputs it could name. Leave it out.")
    recorded = data.splits.datasets["select"].records
    if recorded is not None and {recorded.task, config.task.name} <= set(TASKS) and recorded.task != config.task.name:
        raise DataError(
            f"{config.data.path}: shards of {recorded.task}, and the run is of {config.task.name}. Ingest the data for "
            "this task."
        )
    if recorded is not None and (lacking := task.schema.lacking(recorded.columns)):
        raise DataError(
            f"{config.data.path}: shards of {recorded.task}, without {', '.join(lacking)} of {config.task.name}. "
            "Ingest the data for this task."
        )


def _check_apart(data: Opened) -> None:
    data.splits.check_apart()


def _check_filled(data: Opened) -> None:
    splits = data.splits
    for split in ("select", "test"):
        if splits.images(split) == 0:
            raise DataError(
                f"data.{split}: no {splits.counted} ({data.config.data.path} holds {splits.described[split].rows}). "
                f"Raise data.{split} or ingest more {splits.counted}."
            )


def _check_race(data: Opened) -> None:
    if data.config.search.racing:
        fitness = _fitness(data.config, data.config_dir, data.task, data.splits)[1]
        _check_racing(data.config, fitness, data.splits.images("select"), data.splits.counted)


CHECKS: Mapping[Callable[[Opened], None], set[str]] = {
    _check_fitness: {"data.outputs", "fitness"},
    _check_records: {"data.outputs", "ensemble", "compute"},
    _check_apart: {"data"},
    _check_filled: {"data"},
    _check_race: {"data", "fitness", "search", "ensemble"},
}
"""Of the data and what is asked of it, each by itself, with the keys it looks at; they raise UsageError kinds."""


def together(data: Opened, parent: Parent, run: Inputs | None = None) -> Inputs:
    """Whether data and parent fit: the checks that need both. Raises as ``check_inputs``."""
    config, config_dir, task, splits = data.config, data.config_dir, data.task, data.splits
    config, fitted = fitting(config, parent.model, lambda: run is None and takes_logits(task))
    check_text(config.compute, parent, splits)
    speech, told = speaking(task, parent, splits, config.seed)
    task = of_run(task, splits.described["select"].classes, speech)
    if config.compute.keep_activations is True and opening_of(task) is None:
        raise ConfigError(
            f"compute.keep_activations = true: of the network nothing is kept, for {REPEATS}. Leave it out."
        )
    state, aliases, space = (run.state, run.aliases, run.space) if run else weights_of(config, parent, config_dir)
    head: tuple[str, ...] = ()
    last = config.compute.layout == "channels-last"
    trial, classes = Trial(task, parent.model, splits, normalisation(parent, _channels(splits)), last), None
    _check_alike(splits)
    if task.classification is not None:
        outputs, head = _check_forward(parent, trial, 1)
        config, mapped, classes = by_outputs(config, config_dir, splits, parent.classes, outputs, trial.answers)
        if mapped is not splits:  # other labels
            splits, trial = mapped, trial.relabelled(mapped)
    else:
        told += trial.check()
    spec, fitness = _fitness(config, config_dir, task, splits)
    if config.fitness.reference is not None:
        spec = _with_reference(config, config_dir, spec, trial)
        fitness = spec.make(task, lambda name: import_function(name, config_dir))
    said = announced(config.parent, parent, fitness, classes, trial, config_dir)
    code = code_of(config_dir, user_modules(config, parent.model))
    inputs = Inputs(config, config_dir, parent, state, aliases, space, splits, task, spec, code, classes, said)
    if run is not None:  # its network is judged with the run's own data
        return replace(inputs, notes=(*told, *head, *said.notes))
    inputs = with_guards(inputs, lambda own: check_inputs(own, config_dir, inputs))
    config, notes = inputs.config, inputs.notes
    found = judge(inputs, trial.sample)
    trial.check_batches()
    if config.search.racing or config.mutation.sigma_is_auto:
        _try_scores(fitness, trial)
    config, layout = (config, ()) if trial.took_channels_last else with_fitting_layout(inputs, trial.sample)
    config, space, depth = by_depth(inputs, config, trial.sample)
    in_types = of_network(parent.model, given(config.compute.dtype))
    notes = (
        *parent.notes,
        *fitted,
        *told,
        *head,
        *in_types,
        *said.notes,
        *found,
        *layout,
        *depth,
        *said_of(space),
        *notes,
    )
    return replace(inputs, config=config, space=space, notes=notes)


def weights_of(
    config: RunConfig, parent: Parent, config_dir: Path | None
) -> tuple[dict[str, Tensor], dict[str, str], Space]:
    """The parent's state, its aliases, and the weights that children change."""
    state, aliases = canonical_state(parent.model)
    names = mutable_names(parent.model, config.mutation.include, config.mutation.exclude)
    space = Space.from_state(state, names, config.mutation.scale)
    config.mutation.check_weights(space.n)
    files, key = config.mutation.checkpoints, config.parent.weights_key
    return state, aliases, with_checkpoints(space, files, state, aliases, config_dir, key)


def _fitness(config: RunConfig, config_dir: Path | None, task: Task, splits: Splits) -> tuple[FitnessSpec, Fitness]:
    names, outputs = data_classes(config, splits)
    spec = fitness_spec(config.fitness, names, config_dir, outputs)
    return spec, spec.make(task, lambda name: import_function(name, config_dir))


def _with_reference(config: RunConfig, config_dir: Path | None, spec: FitnessSpec, trial: Trial) -> FitnessSpec:
    """What the parent gives clean records, whose classes and labels nobody asks."""
    whole = {"path": config.fitness.reference, "test_path": None, "select": 1.0, "test": 0.0, "outputs": "auto"}
    try:
        clean = Splits(config.data.model_copy(update=whole), config.seed, config_dir)
    except (DataError, ConfigError) as error:
        raise type(error)(f"fitness.reference = {quoted(whole['path'])}: {error}") from None
    own, other = trial.splits.described["select"], clean.described["select"]
    if own.image_shape != other.image_shape:
        raise DataError(
            f"fitness.reference = {shown(whole['path'])}: its images {other.image_shape} are not those of data.path "
            f"({own.image_shape}). Ingest both in the same way."
        )
    outputs, _ = replace(trial, splits=clean, known=None).outputs(MANY)
    return spec.with_reference(trial.task, outputs, other.digest)


def with_own_fitness(config: RunConfig, task: Task) -> RunConfig:
    """Where nobody names a fitness, it is the task's own, else the one that its races compare by; ``nll`` where it has
    that."""
    if "name" in config.fitness.model_fields_set or config.fitness.name in task.measures or not task.measures:
        return config
    own = getattr(task, "fitness", "") or next(iter((*task.scored, *task.measures)))
    return config.model_copy(update={"fitness": config.fitness.model_copy(update={"name": own})})


def _channels(splits: Splits) -> int:
    return splits.described["select"].image_shape[0]


def _check_racing(config: RunConfig, fitness: Fitness, images: int, what: str) -> None:
    search = config.search
    if config.fitness.constraints:
        texts = ", ".join(f'"{text}"' for text in config.fitness.constraints)
        raise ConfigError(
            f"search.racing = true and fitness.constraints = [{shown(texts, 200)}] do not go together: a race drops "
            f"children after some {what}, and whether a constraint is kept shows on all of select alone. Give one of "
            "them up: search.racing = false judges every child on all of select; without fitness.constraints a race "
            "ranks by the fitness, and a [[guard]] still keeps what must not be lost."
        )
    if fitness.scores is None:
        raise ConfigError(
            f"search.racing = true: fitness.name = {config.fitness.name!r} is no mean of {what}, so "
            f"children cannot be told apart by some {what}. Switch racing off, or use a fitness that scores each "
            f"{what[:-1]}."
        )
    if search.budget_images is None:
        return
    looks = top_k.schedule(images)
    to_the_end = min(search.children, max(config.elite, make_strategy(config.with_sigma(1)).elite))
    least = search.generations * (search.children * looks[0] + to_the_end * (images - looks[0]))
    if search.budget_images < least:
        raise ConfigError(
            f"search.budget_images = {search.budget_images}: {search.generations} x {search.children} children on a "
            f"first look of {looks[0]} {what}, and the best {to_the_end} of them on all {images}, cost {least}. Raise "
            "it, or lower search.children."
        )


def _try_scores(fitness: Fitness, trial: Trial) -> None:
    """Scores a few images of ``select``, for a user's function may not give a number for each of them.

    Raises:
        ConfigError: it gives one number, it raises, or the task has no scores either.
    """
    if fitness.scores is None:
        if trial.task.scores is None:
            raise ConfigError(
                f'mutation.sigma = "auto": neither fitness.name = {fitness.name!r} nor the task scores single records, '
                "so children cannot be compared on a few. Set a number."
            )
        return
    outputs, targets = trial.quick
    try:
        fitness.scores(outputs, targets)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"fitness.name = {fitness.name!r}: raised {type(error).__name__} on {len(targets)} "
            f"{trial.splits.counted} of select ({error}); search.racing and mutation.sigma = "
            '"auto" look at few of them first.'
        ) from error


def _check_alike(splits: Splits) -> None:
    own, other = splits.described["select"], splits.described["test"]
    check_columns(own.columns, other.columns)
    if (other.image_shape, other.classes) != (own.image_shape, own.classes):
        raise DataError(
            f"data.test_path: its images {other.image_shape} or its {len(other.classes)} classes are not those of "
            f"data.path ({own.image_shape}, {len(own.classes)} classes). Ingest both in the same way; masks whose "
            "largest labels differ with a --palette that names every class."
        )


def _check_forward(parent: Parent, trial: Trial, classes: int) -> tuple[int, tuple[str, ...]]:
    """One forward pass of a few images: the shape fits, and there are enough outputs; returns how many, and a note.

    One output is a classifier of two classes where the data has two.
    """
    if not hasattr(trial.first[0], "images"):
        return trial.classes_out(), ()
    check_call(parent.model)
    net: nn.Module = parent.model
    if (answered := trial.answered) is not None:
        net, images = answered, answered.images
    else:
        images = normalise(torch.from_numpy(trial.first[0].images[:2].copy()), *trial.normalisation, torch.float32)
    names = trial.splits.described["select"].classes
    if len(names) != 2:
        return check_outputs(net, images, classes), ()
    head = OneOutput(net)
    outputs = check_outputs(head, images, classes)
    said = (
        f"the parent has one output a record, taken as the log-odds of the data's second class, {shown(names[1], 60)}"
    )
    return outputs, ((said,) if head.met else ())


def normalisation(parent: Parent, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The parent's (mean, std), identity where it has none; () for records that are no images.

    Raises:
        ModelError: the channels do not fit.
    """
    mean, std = parent.preprocessing.mean, parent.preprocessing.std
    if channels == 0 or mean is None or std is None:
        return (0.0,) * channels, (1.0,) * channels
    if len(mean) != channels:
        raise ModelError(
            f"the parent {parent.name} normalises {len(mean)} channels, the images have {channels}. "
            f"Ingest with --channels {len(mean)}, or set parent.mean and parent.std."
        )
    return mean, std
