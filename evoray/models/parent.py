"""Parents: torchvision, timm, or a user's function, with the preprocessing that belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from evoray.config import ParentConfig
from evoray.errors import ConfigError, EvorayError, ModelError
from evoray.models.checkpoint import load_into, read_state
from evoray.models.importing import import_function


@dataclass(frozen=True)
class Preprocessing:
    """How images become a batch: shorter side to ``resize``, centre ``crop``, x/255, then (x - mean) / std.

    None means that the parent says nothing of it. resize and crop are in pixels.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: int | None = None
    crop: int | None = None
    interpolation: str = "bilinear"
    antialias: bool = True
    channels: int = 3


@dataclass(frozen=True)
class Parent:
    """A pretrained network in evaluation mode on the CPU, and what it expects and answers.

    A user's function may return one, to bring its own preprocessing and class names.
    """

    model: nn.Module
    name: str = "module"
    preprocessing: Preprocessing = Preprocessing()
    classes: tuple[str, ...] | None = None


def load_parent(config: ParentConfig, config_dir: Path | None = None, *, seed: int = 0) -> Parent:
    """Builds the parent that a configuration names.

    Args:
        config_dir: folder from which module parents are imported, and to which relative checkpoint paths refer.
        seed: of ``weights = "random"``.

    Raises:
        ConfigError: the name or the weights do not exist. ModelError: they exist and cannot be used.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parent = _SOURCES[config.source](config, config_dir)
    parent.model.eval()
    for name, tensor in parent.model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"the parent {parent.name}: tensor {name} holds NaN or infinity. Take another checkpoint.")
    return parent


def parent_preprocessing(config: ParentConfig, config_dir: Path | None = None, *, seed: int = 0) -> Preprocessing:
    """What a configuration's parent asks of its images; torchvision says so without its weights."""
    if config.source == "torchvision":
        _, enum = _named(config)
        weights = enum.__members__.get(config.weights)
        return _preset(weights) if weights is not None else _configured(config, _preset(enum.DEFAULT))
    return load_parent(config, config_dir, seed=seed).preprocessing


def check_outputs(model: nn.Module, sample: Tensor, classes: int) -> int:
    """Runs a small batch [b, C, H, W]; returns the number of outputs.

    More outputs than classes are fine: labels then index the first of them.

    Raises:
        ModelError: the forward pass fails, gives no [b, outputs] tensor, or has fewer outputs than classes.
    """
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    try:
        with torch.inference_mode():
            logits = model(sample.to(dtype))
    except Exception as error:
        raise ModelError(
            f"the parent cannot evaluate images of shape {tuple(sample.shape[1:])}: {type(error).__name__}: {error}. "
            "Ingest the images as the parent expects them (evoray data ingest --for CONFIG.toml)."
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(sample):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ModelError(f"the parent returned {shape}: it has to return logits [images, classes].")
    if logits.shape[1] < classes:
        raise ModelError(
            f"the parent has {logits.shape[1]} outputs, the data {classes} classes. "
            "Take data of its classes, or a parent with an output for each."
        )
    return int(logits.shape[1])


def _torchvision(config: ParentConfig, config_dir: Path | None) -> Parent:
    builder, enum = _named(config)
    model = builder(weights=None, **_QUIET.get(config.name, {}))
    assert config.weights is not None
    if config.weights in enum.__members__:
        weights = enum[config.weights]
        load_into(model, _download(weights, config), str(weights))
        _refuse_normalisation(config)
        return Parent(model, config.name, _preset(weights), tuple(weights.meta["categories"]))
    preprocessing = _configured(config, _preset(enum.DEFAULT))
    if config.weights != "random":
        path = _checkpoint(config, config_dir, f"none of torchvision's {', '.join(enum.__members__)}")
        load_into(model, read_state(path), str(path))
    return Parent(model, config.name, preprocessing)


def _named(config: ParentConfig) -> tuple[Callable[..., nn.Module], Any]:
    """torchvision's builder of an architecture, and the enum of its weights."""
    from torchvision import models

    try:
        builder = models.get_model_builder(config.name)
        enum = models.get_model_weights(config.name)
    except ValueError:
        close = [name for name in models.list_models(module=models) if name[:4] == config.name[:4]]
        raise ConfigError(
            f'parent.name = "{config.name}": torchvision has no such classifier. '
            f"Near it: {', '.join(close[:6]) or 'none'}."
        ) from None
    return builder, enum


_QUIET: dict[str, dict[str, Any]] = {
    "googlenet": {"init_weights": True, "aux_logits": True},
    "inception_v3": {"init_weights": True, "aux_logits": True},
}
"""These two warn about a default of theirs unless it is given."""


def _download(weights: Any, config: ParentConfig) -> dict[str, Tensor]:
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        file = weights.url.rpartition("/")[2]
        raise ModelError(
            f'parent.weights = "{config.weights}": {file} is not in torch\'s cache and could not be downloaded '
            f"({error}). Where there is no network, name the file itself as parent.weights."
        ) from None


def _preset(weights: Any) -> Preprocessing:
    """The preprocessing of torchvision's ImageClassification preset."""
    preset = weights.transforms()
    return Preprocessing(
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        resize=preset.resize_size[0],
        crop=preset.crop_size[0],
        interpolation=preset.interpolation.value,
        antialias=bool(preset.antialias),
    )


def _timm(config: ParentConfig, config_dir: Path | None) -> Parent:
    try:
        import timm
    except ImportError:
        raise ConfigError('parent.source = "timm": timm is not installed. Run: pip install "evoray[timm]"') from None
    known = config.weights not in ("random",) and not str(config.weights).endswith((".safetensors", ".pth", ".pt"))
    name = f"{config.name}.{config.weights}" if known and config.weights != "pretrained" else config.name
    try:
        model = timm.create_model(name, pretrained=known)
    except Exception as error:
        raise ModelError(f'parent.name = "{name}": timm cannot give it ({type(error).__name__}: {error}).') from None
    if not known and config.weights != "random":
        path = _checkpoint(config, config_dir, "no tag of timm")
        load_into(model, read_state(path), str(path))
    data = timm.data.resolve_model_data_config(model)
    crop = int(data["input_size"][1])
    own = Preprocessing(
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        resize=int(crop / data["crop_pct"]),
        crop=crop,
        interpolation=data["interpolation"],
        channels=int(data["input_size"][0]),
    )
    return Parent(model, config.name, _configured(config, own) if not known else own)


def _module(config: ParentConfig, config_dir: Path | None) -> Parent:
    function: Callable[[], Any] = import_function(config.name, config_dir)
    try:
        made = function()
    except EvorayError:
        raise
    except Exception as error:
        raise ModelError(
            f'parent.name = "{config.name}": the function raised {type(error).__name__}: {error}.'
        ) from error
    if isinstance(made, nn.Module):
        made = Parent(made)
    if not isinstance(made, Parent):
        raise ModelError(
            f'parent.name = "{config.name}": returned {type(made).__name__}, not an nn.Module or an evoray.Parent.'
        )
    if config.weights not in (None, "random"):
        path = _checkpoint(config, config_dir, "a module parent has no named weights")
        load_into(made.model, read_state(path), str(path))
    own = made.preprocessing
    if own.mean is not None:
        _refuse_normalisation(config)
    return Parent(made.model, config.name, _configured(config, own), made.classes)


def _checkpoint(config: ParentConfig, config_dir: Path | None, otherwise: str) -> Path:
    """The checkpoint that ``weights`` names, relative to the working directory or to the configuration's folder."""
    path = Path(str(config.weights))
    for folder in (Path(), config_dir or Path()):
        if (folder / path).is_file():
            return folder / path
    raise ConfigError(f'parent.weights = "{config.weights}": no such file, and {otherwise}.')


def _configured(config: ParentConfig, own: Preprocessing) -> Preprocessing:
    """The parent's preprocessing with the configuration's mean and std, where it gives them."""
    if config.mean is None:
        return own
    return Preprocessing(**{**vars(own), "mean": config.mean, "std": config.std})


def _refuse_normalisation(config: ParentConfig) -> None:
    if config.mean is not None:
        raise ConfigError(
            "parent.mean and parent.std are for parents that bring none; this one brings its own. Leave them out."
        )


_SOURCES: dict[str, Callable[[ParentConfig, Path | None], Parent]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "module": _module,
}
