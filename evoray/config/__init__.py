"""A run's configuration: its schema, and how it is read from TOML. Imports neither torch nor ray."""

from evoray.config.fitness import Constraint as Constraint, FitnessConfig as FitnessConfig
from evoray.config.fitness import parse_constraint as parse_constraint
from evoray.config.loading import load_config as load_config, parse_config as parse_config, read_toml as read_toml
from evoray.config.loading import validated as validated
from evoray.config.mutation import MutationConfig as MutationConfig
from evoray.config.schema import ComputeConfig as ComputeConfig, DataConfig as DataConfig, GuardConfig as GuardConfig
from evoray.config.schema import ParentConfig as ParentConfig, RunConfig as RunConfig
from evoray.config.search import SearchConfig as SearchConfig
from evoray.config.section import Section as Section
from evoray.config.task import TaskConfig as TaskConfig
