"""What a child is worth: mergeable per-shard sums, and the number made of them."""

from evoray.fitness.base import Fitness, as_known, record_scores, with_fitness
from evoray.fitness.constraints import Constrained
from evoray.fitness.merging import MergedSums
from evoray.fitness.registry import FitnessSpec, built_in, fitness_spec

__all__ = [
    "Constrained",
    "Fitness",
    "FitnessSpec",
    "MergedSums",
    "as_known",
    "built_in",
    "fitness_spec",
    "record_scores",
    "with_fitness",
]
