"""Names to fitnesses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evoray.config import Constraint, FitnessConfig, parse_constraint
from evoray.errors import ConfigError
from evoray.fitness.base import Fitness
from evoray.fitness.constraints import Constrained
from evoray.fitness.per_class import PerClass, balanced_accuracy, macro_f1, worst_class
from evoray.fitness.scores import Brier, Cost
from evoray.fitness.standard import ColumnMean
from evoray.fitness.user import user_fitness


@dataclass(frozen=True)
class FitnessSpec:
    """A fitness as it travels to the workers: picklable, with every file already read.

    costs: float64 [classes, classes], for the fitness ``cost``.
    """

    name: str
    classes: tuple[str, ...] = ()
    costs: np.ndarray | None = None
    constraints: tuple[Constraint, ...] = ()

    def make(self, resolve: Callable[[str], Any]) -> Fitness:
        """The fitness; ``resolve`` imports ``package.module:function``."""
        built_in = BUILT_IN.get(self.name)
        fitness: Fitness = built_in(self) if built_in else user_fitness(self.name, resolve(self.name))
        return Constrained(fitness, self.constraints, self.classes) if self.constraints else fitness


def _cost(spec: FitnessSpec) -> Fitness:
    assert spec.costs is not None
    return Cost(spec.costs)


BUILT_IN: Mapping[str, Callable[[FitnessSpec], Fitness]] = {
    "nll": lambda _: ColumnMean("nll", sign=-1),
    "top1": lambda _: ColumnMean("top1", sign=1),
    "top5": lambda _: ColumnMean("top5", sign=1),
    "brier": lambda _: Brier(),
    "balanced-accuracy": lambda spec: PerClass(spec.name, len(spec.classes), balanced_accuracy),
    "macro-f1": lambda spec: PerClass(spec.name, len(spec.classes), macro_f1),
    "worst-class": lambda spec: PerClass(spec.name, len(spec.classes), worst_class),
    "cost": _cost,
}


def fitness_spec(config: FitnessConfig, classes: tuple[str, ...], config_dir: Path | None = None) -> FitnessSpec:
    """Reads what the configuration names; ConfigError where a cost matrix does not fit the classes."""
    costs = None if config.costs is None else _read_costs(config.costs, len(classes), config_dir)
    constraints = tuple(parse_constraint(text) for text in config.constraints)
    return FitnessSpec(config.name, tuple(classes), costs, constraints)


def _read_costs(given: Any, classes: int, config_dir: Path | None) -> np.ndarray:
    where = "fitness.costs"
    try:
        if isinstance(given, str):
            path = (config_dir or Path()) / given
            where = f"fitness.costs = {given!r}"
            costs = np.load(path) if path.suffix == ".npy" else np.loadtxt(path, delimiter=",", ndmin=2)
        else:
            costs = np.array(given, dtype=np.float64)
    except FileNotFoundError:
        raise ConfigError(f"{where}: no such file. Paths start at the configuration's folder.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{where}: not a matrix of numbers ({error}). Give .npy, or text with commas, a row a true class."
        ) from None
    if costs.shape != (classes, classes):
        raise ConfigError(
            f"{where}: its shape is {costs.shape} and the data has {classes} classes. Give a row for every true class "
            "and a column for every answer, in the order of the classes."
        )
    if costs.dtype.kind not in "iuf" or not np.isfinite(costs).all():
        raise ConfigError(f"{where}: every cost must be a finite number.")
    return np.asarray(costs, dtype=np.float64)
