"""Parents: torchvision, timm, or a user's function, with the preprocessing that belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evoray.config import ParentConfig
from evoray.errors import ConfigError, EvorayError, ModelError
from evoray.models import from_timm, from_torchvision
from evoray.models.answers import check_call, logits_of
from evoray.models.base import Parent, Preprocessing, configured, refuse_normalisation
from evoray.models.checkpoints.loading import file_of, with_weights
from evoray.models.seeding import seeded
from evoray.models.structure import in_evaluation
from evoray.models.tensors import all_finite
from evoray.runtime.importing import import_function, modules_of
from evoray.runtime.origin import told
from evoray.runtime.reading import reason_of


def load_parent(config: ParentConfig, config_dir: Path | None = None, *, seed: int = 0, quick: bool = False) -> Parent:
    """Builds the parent that a configuration names.

    Args:
        config_dir: folder from which module parents are imported, and to which relative checkpoint paths refer.
        seed: of ``weights = "random"``.
        quick: its tensors are loaded afterwards, so they are drawn in haste and not looked at.

    Raises:
        ConfigError: the name or the weights do not exist. ModelError: they exist and cannot be used.
    """
    with modules_of(config_dir), seeded(seed, quick):
        parent = _SOURCES[config.source](config, config_dir)
    parent = replace(parent, model=in_evaluation(parent.model, parent.name))
    if quick:
        return parent
    for name, tensor in parent.model.state_dict().items():
        if tensor.is_floating_point() and not all_finite(tensor):
            raise ModelError(f"the parent {parent.name}: tensor {name} holds NaN or infinity. Take another checkpoint.")
    return parent


def find_weights(config: ParentConfig, config_dir: Path | None = None) -> Path | None:
    """The file of a parent's weights, fetched where that is asked for; None where it is random or brings its own.

    Raises:
        ConfigError, ModelError: what ``load_parent`` raises of weights that are not there.
    """
    if config.weights in (None, "random"):
        return None
    return _FILES[config.source](config, config_dir)


def parent_preprocessing(config: ParentConfig, config_dir: Path | None = None, *, seed: int = 0) -> Preprocessing:
    """What a configuration's parent asks of its images; torchvision and timm say so without its weights."""
    if config.source == "torchvision":
        return from_torchvision.preprocessing(config)
    if config.source == "timm" and (known := from_timm.preprocessing(config)) is not None:
        return known
    return load_parent(config, config_dir, seed=seed).preprocessing


def check_outputs(model: nn.Module, sample: Tensor, classes: int) -> int:
    """Runs a small batch [b, C, H, W]; returns the number of outputs.

    More outputs than classes are fine: labels then index the first of them.

    Raises:
        ModelError: the forward pass fails, gives no [b, outputs] tensor, or has fewer outputs than classes.
    """
    check_call(model)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    try:
        with torch.inference_mode():
            logits = model(sample.to(dtype))
    except Exception as error:
        remedy = "Ingest the images as the parent expects them (evoray data ingest --for CONFIG.toml)."
        if _runs_with_gradients(model, sample.to(dtype)):
            remedy = "Its forward works with gradients alone; EvoRay evaluates in inference mode. Have it need none."
        raise ModelError(
            f"the parent cannot evaluate images of shape {tuple(sample.shape[1:])}: {reason_of(error)}. {remedy}"
        ) from error
    return int(logits_of(logits, len(sample), classes).shape[1])


def _runs_with_gradients(model: nn.Module, sample: Tensor) -> bool:
    try:
        with torch.enable_grad():
            model(sample)
    except Exception:
        return False
    return True


def _module(config: ParentConfig, config_dir: Path | None) -> Parent:
    function: Callable[[], Any] = import_function(config.name, config_dir)
    try:
        made = function()
    except EvorayError:
        raise
    except Exception as error:
        raise ModelError(f'parent.name = "{config.name}": the function raised {told(error, config_dir)}') from error
    if isinstance(made, nn.Module):
        made = Parent(made)
    if not isinstance(made, Parent):
        raise ModelError(
            f'parent.name = "{config.name}": returned {type(made).__name__}, not an nn.Module or an evoray.Parent.'
        )
    if config.classes is not None:
        raise ConfigError(
            "parent.classes is for torchvision and timm: a module parent's function decides how many outputs it has. "
            "Leave parent.classes out."
        )
    path = find_weights(config, config_dir)
    notes = made.notes
    if path is not None:
        model = made.model
        notes += with_weights(lambda _: model, path, config)[1]
    own = made.preprocessing
    if own.mean is not None:
        refuse_normalisation(config)
    return replace(made, name=config.name, preprocessing=configured(config, own), notes=notes)


_SOURCES: dict[str, Callable[[ParentConfig, Path | None], Parent]] = {
    "torchvision": from_torchvision.load,
    "timm": from_timm.load,
    "module": _module,
}
_FILES: dict[str, Callable[[ParentConfig, Path | None], Path | None]] = {
    "torchvision": from_torchvision.find,
    "timm": from_timm.find,
    "module": lambda config, config_dir: file_of(config, config_dir, "a module parent has no named weights"),
}
"""Where each source's weights lie."""
