"""A run's configuration: its schema, and how it is read from TOML. Imports neither torch nor ray."""

from evoray.config.fitness import FITNESSES, Constraint, FitnessConfig, parse_constraint
from evoray.config.loading import load_config, parse_config, read_toml, validated
from evoray.config.schema import ComputeConfig, DataConfig, MutationConfig, ParentConfig, RunConfig

__all__ = [
    "FITNESSES",
    "ComputeConfig",
    "Constraint",
    "DataConfig",
    "FitnessConfig",
    "MutationConfig",
    "ParentConfig",
    "RunConfig",
    "load_config",
    "parse_config",
    "parse_constraint",
    "read_toml",
    "validated",
]
