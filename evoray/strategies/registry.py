"""Names to strategies."""

from __future__ import annotations

from collections.abc import Callable

from evoray.config import RunConfig
from evoray.strategies.base import Strategy
from evoray.strategies.decomposition import Decomposition


def _decomposition(config: RunConfig) -> Strategy:
    return Decomposition(
        config.mutation,
        sigma=config.mutation.sigma,
        seed=config.seed,
        children=config.search.children,
        generations=config.search.generations,
        soup_size=config.ensemble.size,
    )


_STRATEGIES: dict[str, Callable[[RunConfig], Strategy]] = {"decomposition": _decomposition}


def make_strategy(config: RunConfig) -> Strategy:
    """The strategy that ``search.strategy`` names."""
    return _STRATEGIES[config.search.strategy](config)
