"""Paired comparison with the parent, on the same images, with a 95% interval."""

from evoray.statistics.paired import METRICS, Comparison, Effect, compare
from evoray.statistics.seeds import OverSeeds, over_seeds
from evoray.statistics.verdict import verdict

__all__ = ["METRICS", "Comparison", "Effect", "OverSeeds", "compare", "over_seeds", "verdict"]
