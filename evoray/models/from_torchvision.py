"""Parents of torchvision, with the preprocessing of the preset that belongs to their weights."""

import hashlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import nn

from evoray.config import ParentConfig
from evoray.config.allowed import did_you_mean
from evoray.errors import ConfigError, ModelError
from evoray.models.base import Parent, Preprocessing, check_classes, configured, refuse_normalisation
from evoray.models.checkpoints.loading import file_of, with_weights
from evoray.runtime.reading import shown


def load(config: ParentConfig, config_dir: Path | None) -> Parent:
    """A classifier of torchvision: random, with weights of its enum, or with a file's."""
    builder, enum = _named(config)
    named = config.weights in enum.__members__
    if named:
        check_classes(config, len(enum[config.weights].meta["categories"]))
    path = find(config, config_dir)

    def make(classes: int | None, **ways: Any) -> nn.Module:
        given = {} if classes is None else {"num_classes": classes}
        return builder(weights=None, **{**_ways(config.name, builder, path is not None), **given, **ways})

    model, notes = (make(config.classes), ()) if path is None else _with_weights(make, path, config)
    if not named:
        return Parent(model, config.name, configured(config, _preset(enum.DEFAULT)), notes=notes)
    refuse_normalisation(config)
    weights = enum[config.weights]
    return Parent(model, config.name, _preset(weights), tuple(weights.meta["categories"]))


def find(config: ParentConfig, config_dir: Path | None) -> Path | None:
    """The file of the weights; None where they are random."""
    if config.weights == "random":
        return None
    _, enum = _named(config)
    if config.weights in enum.__members__:
        return _enum_file(enum[config.weights], config)
    return file_of(config, config_dir, f"none of torchvision's {', '.join(enum.__members__)}")


def preprocessing(config: ParentConfig) -> Preprocessing:
    """What the weights ask of images, or what the architecture's default weights do; without reading any."""
    _, enum = _named(config)
    weights = enum.__members__.get(str(config.weights))
    return _preset(weights) if weights is not None else configured(config, _preset(enum.DEFAULT))


def _with_weights(
    make: Callable[..., nn.Module], path: Path, config: ParentConfig
) -> tuple[nn.Module, tuple[str, ...]]:
    """GoogLeNet, Inception and networks of segmentation also without auxiliary heads, which only training uses."""
    try:
        return with_weights(make, path, config)
    except ModelError as error:
        ways = _ways(config.name, _named(config)[0], True)
        head = next((name for name in ("aux_logits", "aux_loss") if name in ways), None)
        if head is None or "missing aux" not in str(error).lower():
            raise
        return with_weights(lambda classes: make(classes, **{head: False}), path, config)


def _named(config: ParentConfig) -> tuple[Callable[..., nn.Module], Any]:
    """torchvision's builder of an architecture, and the enum of its weights."""
    from torchvision import models

    try:
        builder = models.get_model_builder(config.name)
        enum = models.get_model_weights(config.name)
    except ValueError:
        known = models.list_models(module=models)
        close = [name for name in known if name[:4] == config.name[:4]]
        raise ConfigError(
            f'parent.name = "{shown(config.name)}": torchvision has no such classifier.'
            f"{did_you_mean(config.name, known)} Near it: {', '.join(close[:6]) or 'none'}."
        ) from None
    return builder, enum


_OWN_WAYS: dict[str, dict[str, Any]] = {
    name: {"init_weights": True, "aux_logits": True, "transform_input": True} for name in ("googlenet", "inception_v3")
}
"""These two warn about a default of theirs unless it is given. Their weights were trained on inputs scaled otherwise;
``transform_input`` undoes ImageNet's normalisation for them, as torchvision does where it loads the weights itself."""


def _ways(name: str, builder: Callable[..., nn.Module], trained: bool) -> dict[str, Any]:
    """How an architecture is built: one of segmentation would fetch weights for its backbone, and has an auxiliary head
    where it was trained."""
    takes = inspect.signature(builder).parameters
    own: dict[str, Any] = {"weights_backbone": None} if "weights_backbone" in takes else {}
    own |= {"aux_loss": True} if trained and "aux_loss" in takes else {}
    return own | _OWN_WAYS.get(name, {})


def _enum_file(weights: Any, config: ParentConfig) -> Path:
    """From torch's cache, whose file names end in the start of their SHA-256; fetched only where that is asked for."""
    cache = torch.hub.get_dir()
    if cache.startswith("~"):
        raise ConfigError(
            f"{cache}: no such home directory. Set HOME or TORCH_HOME, or name the file as parent.weights."
        )
    path: Path = Path(cache) / "checkpoints" / weights.url.rpartition("/")[2]
    if not path.is_file():
        if not config.download:
            raise ModelError(
                f'parent.weights = "{config.weights}": {path} is not there, and nothing is downloaded unasked. Set '
                f"parent.download = true, or get {weights.url} and put it there, or name the file as parent.weights."
            )
        try:
            weights.get_state_dict(progress=False, check_hash=True)
        except (URLError, OSError, RuntimeError) as error:
            raise ModelError(
                f'parent.weights = "{config.weights}": {weights.url} could not be downloaded ({error}). Where there is '
                f"no network, put the file at {path}, or name it as parent.weights."
            ) from None
    _check_name(path)
    return path


def _check_name(path: Path) -> None:
    stated = re.search(r"-([0-9a-f]{8,})\.\w+$", path.name)
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if stated and not found.startswith(stated.group(1)):
        raise ModelError(f"{path}: damaged, its SHA-256 begins with {found[:8]}. Delete it and fetch it again.")


def _preset(weights: Any) -> Preprocessing:
    """The preprocessing of torchvision's ImageClassification preset, or of its SemanticSegmentation, which cuts nothing
    off."""
    preset = weights.transforms()
    crop = getattr(preset, "crop_size", None)
    return Preprocessing(
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        resize=preset.resize_size[0],
        crop=None if crop is None else crop[0],
        interpolation=preset.interpolation.value,
        antialias=bool(preset.antialias),
    )
