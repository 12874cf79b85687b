"""Names to fitnesses: a figure of the task, what is made of classes, or a user's own."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from evoray.config import Constraint, FitnessConfig, parse_constraint
from evoray.config.allowed import did_you_mean
from evoray.errors import ConfigError
from evoray.fitness.base import Fitness, RecordScores
from evoray.fitness.constraints import FRACTION, Constrained, constrainable, fault
from evoray.fitness.per_class import PerClass, balanced_accuracy, macro_f1, worst_class
from evoray.fitness.scores import Brier, Cost
from evoray.fitness.unlabelled import Agreement, Entropy, Information
from evoray.fitness.user import user_fitness
from evoray.runtime.reading import read_file, said, shown
from evoray.tasks.base import Classification, Measure, Outputs, Task
from evoray.tasks.sums import SumsLayout

COSTS_BYTES = 64 * 2**20
"""Of a file of costs; a thousand classes have 8 MB."""


@dataclass(frozen=True)
class FitnessSpec:
    """A fitness as it travels to the workers: picklable, with every file already read.

    classes: the data's own; outputs: the parent's output for each of them, None where class i is output i.
    costs: float64 [classes, classes], for the fitness ``cost``.
    reference: for ``agreement``, what the parent gives clean records (``Agreement.moments``); digest: of these.
    """

    name: str
    classes: tuple[str, ...] = ()
    costs: np.ndarray | None = None
    constraints: tuple[Constraint, ...] = ()
    outputs: tuple[int, ...] | None = None
    reference: np.ndarray | None = None
    digest: str | None = None

    def with_reference(self, task: Task, outputs: Outputs, digest: str) -> FitnessSpec:
        """For ``agreement``, with the parent's outputs for clean records."""
        assert task.classification is not None, "checked before the run"
        made = Agreement(task.columns, task.classification, len(self.classes), self.outputs)
        return replace(self, reference=made.moments(outputs), digest=digest)

    def make(self, task: Task, resolve: Callable[[str], Any]) -> Fitness:
        """The fitness; ``resolve`` imports ``package.module:function``.

        Raises:
            ConfigError: the task has no such fitness, or nothing that a constraint names; a constraint is nonsense.
        """
        fitness = self._made(task, resolve)
        known = constrainable(task)
        for one in self.constraints:
            if one.metric not in known:
                raise ConfigError(
                    f'fitness.constraints: "{one.text}": {one.metric} is none of {", ".join(known)}.'
                    f"{did_you_mean(one.metric, known)}"
                )
            if (wrong := fault(one, task.measures.get(one.metric, FRACTION))) is not None:
                raise ConfigError(f'fitness.constraints: "{one.text}": {wrong}.')
        if not self.constraints:
            return fitness
        return Constrained(task, fitness, self.constraints, self.classes, self.outputs)

    def _made(self, task: Task, resolve: Callable[[str], Any]) -> Fitness:
        if self.name in task.measures:
            return FigureFitness(task, self.name)
        if task.classification is not None and self.name in OF_CLASSES:
            return OF_CLASSES[self.name](self, task.columns, task.classification)
        if ":" not in self.name:
            known = built_in(task)
            own = f'fitness.name = "{self.name}": is none of {", ".join(known)}, nor a "package.module:function".'
            raise ConfigError(f"{own}{did_you_mean(self.name, known)}")
        return user_fitness(self.name, task.columns, resolve(self.name))


def built_in(task: Task) -> tuple[str, ...]:
    """Names of fitnesses that come with a task."""
    return (*task.measures, *(OF_CLASSES if task.classification is not None else ()))


def _per_class(label: str, short: str, number: Callable[[np.ndarray], float]) -> _Maker:
    measure = Measure(label, "fraction", True, short)
    return lambda spec, columns, classes: PerClass(
        spec.name, measure, columns, classes, len(spec.classes), number, spec.outputs
    )


def _cost(spec: FitnessSpec, columns: tuple[str, ...], classes: Classification) -> Fitness:
    assert spec.costs is not None
    return Cost(columns, classes, spec.costs, spec.outputs)


_Maker = Callable[[FitnessSpec, tuple[str, ...], Classification], Fitness]
OF_CLASSES: Mapping[str, _Maker] = {
    "brier": lambda _, columns, classes: Brier(columns, classes),
    "balanced-accuracy": _per_class("Balanced accuracy", "Balanced", balanced_accuracy),
    "macro-f1": _per_class("Macro F1", "Macro F1", macro_f1),
    "worst-class": _per_class("Accuracy of the worst class", "Worst class", worst_class),
    "cost": _cost,
    "entropy": lambda _, columns, classes: Entropy(columns, classes),
    "information": lambda spec, columns, classes: Information(columns, classes, len(spec.classes), spec.outputs),
    "agreement": lambda spec, columns, classes: Agreement(
        columns, classes, len(spec.classes), spec.outputs, spec.reference
    ),
}
"""For tasks whose outputs are classes."""


def fitness_spec(
    config: FitnessConfig,
    classes: tuple[str, ...],
    config_dir: Path | None = None,
    outputs: tuple[int, ...] | None = None,
) -> FitnessSpec:
    """Reads what the configuration names; ConfigError where a cost matrix does not fit the classes.

    Args:
        classes, outputs: as in ``FitnessSpec``.
    """
    costs = None if config.costs is None else _read_costs(config.costs, len(classes), config_dir)
    constraints = tuple(parse_constraint(text) for text in config.constraints)
    return FitnessSpec(config.name, tuple(classes), costs, constraints, outputs)


def _read_costs(given: Any, classes: int, config_dir: Path | None) -> np.ndarray:
    where = "fitness.costs"
    try:
        if isinstance(given, str):
            path = (config_dir or Path()) / given
            where = f"fitness.costs = {shown(given)!r}"
            if not os.path.lexists(path):
                raise FileNotFoundError
            content = io.BytesIO(read_file(path, COSTS_BYTES, ConfigError))
            costs = np.load(content) if path.suffix == ".npy" else np.loadtxt(content, delimiter=",", ndmin=2)
        else:
            costs = np.array(given, dtype=np.float64)
    except FileNotFoundError:
        raise ConfigError(f"{where}: no such file. Paths start at the configuration's folder.") from None
    except ConfigError:
        raise
    except Exception as error:  # NumPy reads a header as Python's: tokens, syntax, memory, any of them
        raise ConfigError(
            f"{where}: not a matrix of numbers ({said(error)}). Give .npy, or text with commas, a row a true class."
        ) from None
    if costs.shape != (classes, classes):
        raise ConfigError(
            f"{where}: its shape is {costs.shape} and the data has {classes} classes. Give a row for every true class "
            "and a column for every answer, in the order of the classes."
        )
    if costs.dtype.kind not in "iuf" or not np.isfinite(costs).all():
        raise ConfigError(f"{where}: every cost must be a finite number.")
    return np.asarray(costs, dtype=np.float64)


class FigureFitness:
    """A figure of the task, with a sign that makes higher better."""

    compared = None

    def __init__(self, task: Task, name: str) -> None:
        self.name, self.measure = name, task.measures[name]
        self.layout = SumsLayout(task.columns)
        self._task, self._sign = task, self.measure.sign

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        return np.zeros(0)

    @property
    def scores(self) -> RecordScores | None:
        """The figure's value of each record, where records have one."""
        return self._scores if self.name in self._task.scored else None

    def value(self, total: np.ndarray) -> float:
        return self._sign * self._task.figures(self.layout.by_name(total))[self.name].value

    def _scores(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        assert self._task.scores is not None
        return self._sign * self._task.scores(outputs, targets)[self.name]
