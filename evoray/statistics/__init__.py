"""Paired comparison with the parent, on the same images, and what a run may say of it."""

from evoray.statistics.blocks import compare_blocks
from evoray.statistics.children import Share, correlation
from evoray.statistics.multiple import corrected, holm
from evoray.statistics.paired import Comparison, Effect, compare
from evoray.statistics.seeds import OverSeeds, over_seeds
from evoray.statistics.verdict import verdict

__all__ = [
    "Comparison",
    "Effect",
    "OverSeeds",
    "Share",
    "compare",
    "compare_blocks",
    "corrected",
    "correlation",
    "holm",
    "over_seeds",
    "verdict",
]
