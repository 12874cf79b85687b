"""Ask/tell over lineages: which children are tried, and what the next generation starts from."""

from evoray.strategies.base import Ask, Replayed, Round, Strategy
from evoray.strategies.registry import STRATEGIES, make_strategy
from evoray.strategies.sampling import draw_children, draw_mutation

__all__ = ["STRATEGIES", "Ask", "Replayed", "Round", "Strategy", "draw_children", "draw_mutation", "make_strategy"]
