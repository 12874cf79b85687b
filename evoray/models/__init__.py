"""Parents and the in-place host: from a name to a network whose weights children are written into."""

from evoray.models.base import Parent as Parent, Preprocessing as Preprocessing
from evoray.models.batchnorm import Buffers as Buffers, batchnorm_layers as batchnorm_layers, measured as measured
from evoray.models.batchnorm import statistics_of as statistics_of, with_buffers as with_buffers
from evoray.models.checkpoints.files import parse_state as parse_state, read_state as read_state
from evoray.models.checkpoints.files import state_bytes as state_bytes, write_state as write_state
from evoray.models.checkpoints.fitting import load_into as load_into
from evoray.models.class_map import ClassMap as ClassMap, UnclearError as UnclearError, mapped as mapped
from evoray.models.class_map import outputs_of as outputs_of
from evoray.models.fresh import fresh_network as fresh_network
from evoray.models.parent import check_outputs as check_outputs, find_weights as find_weights
from evoray.models.parent import load_parent as load_parent, parent_preprocessing as parent_preprocessing
from evoray.models.tensors import canonical_state as canonical_state, mutable_names as mutable_names
