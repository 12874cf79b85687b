"""A fresh network with an export's weights: what a user has who builds the architecture and loads a file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from evoray.config import ParentConfig
from evoray.errors import EvorayError, ModelError
from evoray.models.base import Parent
from evoray.models.onnx.network import OnnxNetwork
from evoray.models.parent import load_parent
from evoray.runtime.reading import reason_of

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

    quick: random numbers that ``state`` most likely replaces are drawn in haste; what the network then says counts
    where it is right, and says nothing where it is wrong.

    Raises:
        ModelError: it cannot be built or loaded a second time.
    """
    try:
        model = load_parent(_without_weights(config), config_dir, seed=seed + OTHER_SEED, quick=quick).model
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
