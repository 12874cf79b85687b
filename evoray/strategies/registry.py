"""Names to strategies: a new one is a file, and a line here."""

from evoray.config import RunConfig
from evoray.config.variants import Variants
from evoray.strategies.base import Strategy

STRATEGIES: Variants[Strategy] = Variants(
    "search.strategy",
    Strategy,  # type: ignore[type-abstract]  # no class is made from it, others are compared with it
    {
        "decomposition": "evoray.strategies.decomposition:Decomposition",
        "one-plus-lambda": "evoray.strategies.one_plus_lambda:OnePlusLambda",
        "mu-lambda": "evoray.strategies.mu_lambda:MuLambda",
        "evolution-strategy": "evoray.strategies.evolution_strategy:EvolutionStrategy",
        "cma-es": "evoray.strategies.cma_es:CmaEs",
        "randopt": "evoray.strategies.randopt:RandOpt",
    },
)


def make_strategy(config: RunConfig) -> Strategy:
    """The strategy that ``search.strategy`` names."""
    return STRATEGIES.of(config.search).from_config(config, config.search)
