"""Parents and the in-place host: from a name to a network whose weights children are written into."""

from evoray.models.base import Parent, Preprocessing
from evoray.models.batchnorm import Buffers, batchnorm_layers, measured, statistics_of, with_buffers
from evoray.models.checkpoints.files import parse_state, read_state, state_bytes, write_state
from evoray.models.checkpoints.fitting import load_into
from evoray.models.class_map import ClassMap, UnclearError, mapped, outputs_of
from evoray.models.fresh import fresh_network
from evoray.models.parent import check_outputs, find_weights, load_parent, parent_preprocessing
from evoray.models.tensors import canonical_state, mutable_names

__all__ = [
    "Buffers",
    "ClassMap",
    "Parent",
    "Preprocessing",
    "UnclearError",
    "batchnorm_layers",
    "canonical_state",
    "check_outputs",
    "find_weights",
    "fresh_network",
    "load_into",
    "load_parent",
    "mapped",
    "measured",
    "mutable_names",
    "outputs_of",
    "parent_preprocessing",
    "parse_state",
    "read_state",
    "state_bytes",
    "statistics_of",
    "with_buffers",
    "write_state",
]
