"""Regression: numbers for every record, of any shape, against measured ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from evoray.data.schema import Schema
from evoray.tasks.base import Figure, Figures, Measure, Scores
from evoray.tasks.inputs import flat
from evoray.tasks.targets import TargetTask

if TYPE_CHECKING:
    from torch import Tensor


SPREAD = 1e-10


class Regression(TargetTask):
    """Outputs and targets [n, ...] of as many values a record; a record's error is the mean over its values.

    r2 is over all values of all records, against their one mean: 1 - sum of squared errors / sum of squared deviations;
    not defined where all targets are the same, or differ by less than SPREAD of their squares: the sums would not tell.
    """

    schema = Schema(task="regression", columns={"target": "fixed_size_binary"}, target="target")
    columns: tuple[str, ...] = ("n", "invalid", "squared", "absolute", "target", "target_squared")
    measures: Mapping[str, Measure] = {
        "mse": Measure("Mean squared error", "squared units of the target", False, "MSE", "mean squared error"),
        "mae": Measure("Mean absolute error", "units of the target", False, "MAE", "mean absolute error"),
        "r2": Measure("R²", "at most 1", True, "R²", "R²"),
    }
    scored: tuple[str, ...] = ("mse", "mae")
    kept: tuple[str, ...] = ("mse", "mae", "target", "target_squared")
    """Of every record, means over its values: squared and absolute error, the target and its square."""

    def records(self, predictions: Tensor, targets: Tensor) -> Scores:
        found, wanted = flat(predictions, targets, "the target")
        off = found - wanted
        columns = off.square(), off.abs(), wanted, wanted.square()
        return {name: one.mean(dim=1).numpy() for name, one in zip(self.kept, columns, strict=True)}

    def figures(self, total: Mapping[str, float]) -> Figures:
        sums = total["squared"], total["absolute"], total["target"], total["target_squared"]
        return self._figures(int(total["n"]), *sums)

    def evaluated(self, records: Mapping[str, np.ndarray]) -> Figures:
        return self._figures(len(records["mse"]), *(float(np.sum(records[name])) for name in self.kept))

    def _figures(self, n: int, squared: float, absolute: float, target: float, target_squared: float) -> Figures:
        spread = target_squared - target * target / n
        r2 = 1 - squared / spread if spread > SPREAD * max(target_squared, 1e-300) else math.nan
        values = {"mse": squared / n, "mae": absolute / n, "r2": r2}
        return {name: Figure(value, self.measures[name]) for name, value in values.items()}
