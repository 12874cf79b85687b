"""A run's configuration: its schema, and how it is read from TOML. Imports neither torch nor ray."""

from evoray.config.fitness import Constraint, FitnessConfig, parse_constraint
from evoray.config.loading import load_config, parse_config, read_toml, validated
from evoray.config.mutation import MutationConfig
from evoray.config.schema import ComputeConfig, DataConfig, GuardConfig, ParentConfig, RunConfig
from evoray.config.search import SearchConfig
from evoray.config.section import Section
from evoray.config.task import TaskConfig

__all__ = [
    "ComputeConfig",
    "Constraint",
    "DataConfig",
    "FitnessConfig",
    "GuardConfig",
    "MutationConfig",
    "ParentConfig",
    "RunConfig",
    "SearchConfig",
    "Section",
    "TaskConfig",
    "load_config",
    "parse_config",
    "parse_constraint",
    "read_toml",
    "validated",
]
