"""What a child is worth: mergeable per-shard sums, and the number made of them."""

from evoray.fitness.base import COLUMNS, Fitness, Metrics, merge_shards, metrics_of
from evoray.fitness.per_image import PerImage, score_images
from evoray.fitness.registry import make_fitness

__all__ = [
    "COLUMNS",
    "Fitness",
    "Metrics",
    "PerImage",
    "make_fitness",
    "merge_shards",
    "metrics_of",
    "score_images",
]
