"""Names to strategies; a new one is a file, a variant of ``search`` in the configuration, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evoray.config import RunConfig
from evoray.config.strategies import (
    CmaEsSearch,
    DecompositionSearch,
    EvolutionStrategySearch,
    MuLambdaSearch,
    OnePlusLambdaSearch,
    RandOptSearch,
)
from evoray.errors import ConfigError
from evoray.strategies.base import Strategy
from evoray.strategies.cma_es import CmaEs
from evoray.strategies.decomposition import Decomposition
from evoray.strategies.evolution_strategy import EvolutionStrategy
from evoray.strategies.mu_lambda import MuLambda
from evoray.strategies.one_plus_lambda import OnePlusLambda
from evoray.strategies.randopt import RandOpt


def _decomposition(config: RunConfig, search: DecompositionSearch) -> Strategy:
    return Decomposition(*_drawn(config), search.children, search.generations, soup_size=config.ensemble.size)


def _one_plus_lambda(config: RunConfig, search: OnePlusLambdaSearch) -> Strategy:
    return OnePlusLambda(*_drawn(config), search.children, search.generations)


def _mu_lambda(config: RunConfig, search: MuLambdaSearch) -> Strategy:
    parents = max(1, search.children // 4) if search.parents == "auto" else search.parents
    step = None if search.step == "auto" else search.step
    return MuLambda(*_drawn(config), search.children, search.generations, parents, step)


def _evolution_strategy(config: RunConfig, search: EvolutionStrategySearch) -> Strategy:
    steps = (search.learning_rate, search.momentum, search.optimizer == "adam")
    return EvolutionStrategy(*_drawn(config), search.children, search.generations, *steps)


def _cma_es(config: RunConfig, search: CmaEsSearch) -> Strategy:
    return CmaEs(*_drawn(config), search.children, search.generations, search.dimensions)


def _randopt(config: RunConfig, search: RandOptSearch) -> Strategy:
    return RandOpt(*_drawn(config), search.children)


def _drawn(config: RunConfig) -> tuple[Any, float, int]:
    """What every strategy draws by: (mutation, sigma, seed)."""
    sigma = config.mutation.sigma
    if sigma == "auto":
        raise ConfigError('mutation.sigma = "auto" is chosen by the run; give a strategy a number.')
    return config.mutation, sigma, config.seed


_STRATEGIES: dict[str, Callable[[RunConfig, Any], Strategy]] = {
    "decomposition": _decomposition,
    "one-plus-lambda": _one_plus_lambda,
    "mu-lambda": _mu_lambda,
    "evolution-strategy": _evolution_strategy,
    "cma-es": _cma_es,
    "randopt": _randopt,
}


def make_strategy(config: RunConfig) -> Strategy:
    """The strategy that ``search.strategy`` names."""
    return _STRATEGIES[config.search.strategy](config, config.search)
