"""Names to fitnesses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evoray.fitness.base import Fitness
from evoray.fitness.standard import ColumnMean
from evoray.fitness.user import user_fitness

_BUILT_IN: dict[str, Callable[[], Fitness]] = {
    "nll": lambda: ColumnMean("nll", sign=-1),
    "top1": lambda: ColumnMean("top1", sign=1),
    "top5": lambda: ColumnMean("top5", sign=1),
}


def make_fitness(name: str, resolve: Callable[[str], Any]) -> Fitness:
    """The fitness of that name; ``resolve`` imports ``package.module:function``."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    return user_fitness(name, resolve(name))
