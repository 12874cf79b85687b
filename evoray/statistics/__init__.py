"""Paired comparison with the parent, on the same images, and what a run may say of it."""

from evoray.statistics.paired import compare_blocks as compare_blocks
from evoray.statistics.children import Share as Share, correlation as correlation
from evoray.statistics.verdict import corrected as corrected, holm as holm
from evoray.statistics.paired import Comparison as Comparison, Effect as Effect, compare as compare
from evoray.statistics.seeds import OverSeeds as OverSeeds, over_seeds as over_seeds
from evoray.statistics.verdict import verdict as verdict
