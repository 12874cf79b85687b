"""What a child is worth: mergeable per-shard sums, and the number made of them."""

from evoray.fitness.base import Fitness as Fitness, as_known as as_known, record_scores as record_scores
from evoray.fitness.base import with_fitness as with_fitness
from evoray.fitness.constraints import Constrained as Constrained
from evoray.fitness.merging import MergedSums as MergedSums
from evoray.fitness.registry import FitnessSpec as FitnessSpec, built_in as built_in, fitness_spec as fitness_spec
