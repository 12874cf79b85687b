"""Guards before a run: each is checked like a run's own data and task, with the run's parent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evoray.config import Constraint, FitnessConfig, GuardConfig, RunConfig
from evoray.config.allowed import did_you_mean
from evoray.config.guard import parse_keep
from evoray.data.splits import Splits
from evoray.errors import ConfigError, DataError, UsageError
from evoray.fitness.constraints import FRACTION, Constrained, constrainable, fault
from evoray.runtime.importing import import_function
from evoray.tasks.base import Task
from evoray.tasks.registry import make_task

if TYPE_CHECKING:
    from evoray.search.inputs import Inputs


@dataclass(frozen=True)
class Guard:
    """A guard of a run. inputs: as if the run were on its data, by its task, for its figure."""

    name: str
    keep: Constraint
    candidates: int
    inputs: Inputs

    @cached_property
    def fitness(self) -> Constrained:
        """The guard's figure, higher is better, with what is to be kept of it as its one constraint."""
        made = self.inputs.fitness.make(self.inputs.task, lambda name: import_function(name, self.inputs.config_dir))
        assert isinstance(made, Constrained)
        return made


def with_guards(inputs: Inputs, check: Callable[[RunConfig], Inputs]) -> Inputs:
    """The run's inputs with its guards checked, and what is to be said of them.

    check: the inputs of a configuration on other data, with the run's parent.

    Raises:
        UsageError: a guard's data, task or figure cannot be used, or its images are those that the run keeps apart.
    """
    if not inputs.config.guard:
        return inputs
    guards = tuple(_checked(inputs, one, check) for one in inputs.config.guard)
    _check_apart(inputs.splits, guards)
    resolved = zip(inputs.config.guard, guards, strict=True)
    recorded = tuple(one.model_copy(update={"data": guard.inputs.config.data}) for one, guard in resolved)
    code = dict(inputs.code)
    for guard in guards:
        code |= guard.inputs.code
    return replace(
        inputs,
        config=inputs.config.model_copy(update={"guard": recorded}),
        guards=guards,
        code=code,
        notes=(*inputs.notes, *_notes(guards, inputs)),
    )


def guards_identity(guards: Sequence[Guard]) -> dict[str, Any]:
    """Digests of their data, for a run's identity; nothing where a run has none."""
    found = {
        guard.name: {split: one.digest for split, one in guard.inputs.splits.described.items()} for guard in guards
    }
    return {"guards": found} if found else {}


def _checked(inputs: Inputs, guard: GuardConfig, check: Callable[[RunConfig], Inputs]) -> Guard:
    try:
        keep = parse_keep(guard.keep)
        task = guard.task or inputs.config.task
        _check_figure(make_task(task.name, inputs.config_dir, task.settings), keep)
        found = check(_as_run(inputs.config, guard, keep))
    except UsageError as error:
        raise type(error)(f"guard {guard.name}: {error}") from error
    return Guard(guard.name, keep, guard.candidates, found)


def figures_of(task: Task) -> tuple[str, ...]:
    """What a guard may name: one number of all records."""
    return tuple(name for name in constrainable(task) if name != "class-accuracy")


def _check_figure(task: Task, keep: Constraint) -> None:
    if keep.metric not in (known := figures_of(task)):
        raise ConfigError(
            f'keep = "{keep.text}": {keep.metric} is no figure of {task.schema.task}, which has {", ".join(known)}.'
            f"{did_you_mean(keep.metric, known)}"
        )
    if (wrong := fault(keep, task.measures.get(keep.metric, FRACTION))) is not None:
        raise ConfigError(f'keep = "{keep.text}": {wrong}.')


def _as_run(config: RunConfig, guard: GuardConfig, keep: Constraint) -> RunConfig:
    """The run's configuration on a guard's data, without what a guard does not do."""
    return config.with_sigma(1.0).model_copy(
        update={
            "data": guard.data,
            "task": guard.task or config.task,
            "fitness": FitnessConfig(name=keep.metric, constraints=(keep.text,)),
            "search": config.search.model_copy(update={"racing": False}),
            "ensemble": config.ensemble.model_copy(update={"temperature": False, "keep_logits": False}),
            "guard": (),
        }
    )


def _check_apart(run: Splits, guards: Sequence[Guard]) -> None:
    """Raises DataError where what chooses and what is reported meet: in the run and a guard, or in two guards."""
    splits = {"the run": run} | {f"guard {guard.name}": guard.inputs.splits for guard in guards}
    names = list(splits)
    for at, one in enumerate(names):
        for other in names[:at]:
            for ours, theirs in (("select", "test"), ("test", "select")):
                if meet := splits[one].meet(ours, splits[other], theirs):
                    raise DataError(
                        f"{one}: {meet} {run.counted} of its {ours} are {theirs} of {other}, so figures on test would "
                        f"be of what the search has seen. Cut both in the same way (data.select, data.test), or name "
                        "other data."
                    )


def _notes(guards: Sequence[Guard], run: Inputs) -> Iterator[str]:
    """What is not said of the run's own data as well."""
    for guard in guards:
        for note in guard.inputs.notes:
            if note not in run.said.notes:
                yield f"guard {guard.name}: {note}"
