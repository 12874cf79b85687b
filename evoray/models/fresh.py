"""A fresh network with an export's weights: what a user has who builds the architecture and loads a file."""

import copy
import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from evoray.config import ParentConfig
from evoray.errors import EvorayError, ModelError
from evoray.models.base import Parent
from evoray.models.onnx.network import OnnxNetwork
from evoray.models.parent import architecture, load_parent
from evoray.runtime.reading import reason_of

LOG = logging.getLogger("evoray")
LIBRARIES = ("torchvision", "timm")
"""Sources whose code keeps nothing between two networks; a user's may."""
OTHER_SEED = 0x5EED
"""Added to the run's, so that what was drawn when the parent was built and is in no checkpoint is drawn otherwise."""


def fresh_network(
    parent: Parent,
    config: ParentConfig,
    config_dir: Path | None,
    seed: int,
    state: Mapping[str, Tensor],
    quick: bool = False,
) -> nn.Module:
    """The parent's architecture built once more, with ``state`` (as ``write_state`` exports it), in evaluation mode.

    quick: random numbers that ``state`` most likely replaces are drawn in haste or not at all, and the network may hold
    the very tensors of ``state``; what it then says counts where it is right, and says nothing where it is wrong.

    Raises:
        ModelError: it cannot be built or loaded a second time.
    """
    config = _without_weights(config)
    if quick and (found := _filled_in(config, seed + OTHER_SEED, state)) is not None:
        return found
    try:
        model = load_parent(config, config_dir, seed=seed + OTHER_SEED, quick=quick).model
        if _shares(model, parent.model):  # a function that returns one and the same module
            model = copy.deepcopy(model)
        if isinstance(model, OnnxNetwork) and isinstance(parent.model, OnnxNetwork):
            model.like(parent.model)
        model.train()
        _load(model, state)
        model.eval()
    except EvorayError as error:
        raise ModelError(f"the parent {parent.name} cannot be built a second time: {error}") from error
    except Exception as error:
        raise ModelError(
            f"the parent {parent.name} cannot be built a second time ({reason_of(error)}), so nobody "
            "could load what a run exports. Make its function return a new network at each call."
        ) from error
    return model


def _filled_in(config: ParentConfig, seed: int, state: Mapping[str, Tensor]) -> nn.Module | None:
    """A library's architecture built without numbers, each of its tensors one of ``state``: nothing is drawn or copied.

    None where some tensor is not in ``state``, or not of the same shape and type, or where it cannot be built so.
    Numbers that it keeps elsewhere are missing, so no pass succeeds that uses one.
    """
    if config.source not in LIBRARIES or config.weights != "random":
        return None
    try:
        model = architecture(config, seed=seed)
        own = model.state_dict()
        if own.keys() != state.keys() or any(not _alike(own[name], state[name]) for name in own):
            return None
        own.update(state)
        model.train()
        model.load_state_dict(own, assign=True)
        held = [*model.parameters(), *model.buffers()]
        if any(one.is_meta for one in held):
            return None
        model.eval()
    except Exception as error:
        LOG.debug("a network built without numbers: %s", reason_of(error))
        return None
    return model


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype


def _load(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """As a user does, by exactly the same names: nothing is guessed or left out."""
    own = model.state_dict()
    if other := sorted(own.keys() ^ state.keys()):
        raise ModelError(f"its tensors are others then ({', '.join(other[:3])}).")
    own.update(state)  # keeps the version metadata that some modules insist on
    model.load_state_dict(own)


def _without_weights(config: ParentConfig) -> ParentConfig:
    """torchvision's published weights need not be read again; a file may say how many outputs there are."""
    if config.source != "torchvision" or config.weights is None:
        return config
    from torchvision import models

    known = models.get_model_weights(config.name).__members__
    return config.model_copy(update={"weights": "random"}) if config.weights in known else config


def _shares(model: nn.Module, other: nn.Module) -> bool:
    held = {tensor.data_ptr() for tensor in other.state_dict().values() if tensor.numel()}
    return any(tensor.data_ptr() in held for tensor in model.state_dict().values() if tensor.numel())
