"""What a child is worth: mergeable per-shard sums, and the number made of them."""

from evoray.fitness.base import COLUMNS, Fitness, Metrics, is_mean_of_images, merge_shards, metrics_of, scores_of
from evoray.fitness.constraints import Constrained
from evoray.fitness.merging import MergedSums
from evoray.fitness.per_image import PerImage, score_images
from evoray.fitness.registry import BUILT_IN, FitnessSpec, fitness_spec

__all__ = [
    "BUILT_IN",
    "COLUMNS",
    "Constrained",
    "Fitness",
    "FitnessSpec",
    "MergedSums",
    "Metrics",
    "PerImage",
    "fitness_spec",
    "is_mean_of_images",
    "merge_shards",
    "metrics_of",
    "score_images",
    "scores_of",
]
