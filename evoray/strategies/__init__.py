"""Ask/tell over lineages: which children are tried, and what the next generation starts from."""

from evoray.strategies.base import Ask, Round, Strategy
from evoray.strategies.decomposition import Decomposition
from evoray.strategies.registry import make_strategy

__all__ = ["Ask", "Decomposition", "Round", "Strategy", "make_strategy"]
