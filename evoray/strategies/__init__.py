"""Ask/tell over lineages: which children are tried, and what the next generation starts from."""

from evoray.strategies.base import Ask, Round, Strategy
from evoray.strategies.cma_es import CmaEs
from evoray.strategies.decomposition import Decomposition
from evoray.strategies.evolution_strategy import EvolutionStrategy
from evoray.strategies.mu_lambda import MuLambda
from evoray.strategies.one_plus_lambda import OnePlusLambda
from evoray.strategies.randopt import RandOpt
from evoray.strategies.registry import make_strategy
from evoray.strategies.sampling import draw_mutation

__all__ = [
    "Ask",
    "CmaEs",
    "Decomposition",
    "EvolutionStrategy",
    "MuLambda",
    "OnePlusLambda",
    "RandOpt",
    "Round",
    "Strategy",
    "draw_mutation",
    "make_strategy",
]
