"""Parents: torchvision, timm, or a user's function, with the preprocessing that belongs to them."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from evoray.config import ParentConfig
from evoray.errors import ConfigError, EvorayError, ModelError
from evoray.models.checkpoint import load_into, read_state
from evoray.models.seeding import seeded
from evoray.models.structure import in_evaluation
from evoray.runtime.importing import import_function, modules_of
from evoray.runtime.reading import reason_of


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
    with modules_of(config_dir), seeded(seed):
        parent = _SOURCES[config.source](config, config_dir)
    parent = replace(parent, model=in_evaluation(parent.model, parent.name))
    for name, tensor in parent.model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
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
        remedy = "Ingest the images as the parent expects them (evoray data ingest --for CONFIG.toml)."
        if _runs_with_gradients(model, sample.to(dtype)):
            remedy = "Its forward works with gradients alone; EvoRay evaluates in inference mode. Have it need none."
        raise ModelError(
            f"the parent cannot evaluate images of shape {tuple(sample.shape[1:])}: {reason_of(error)}. {remedy}"
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


def _runs_with_gradients(model: nn.Module, sample: Tensor) -> bool:
    try:
        with torch.enable_grad():
            model(sample)
    except Exception:
        return False
    return True


def _torchvision(config: ParentConfig, config_dir: Path | None) -> Parent:
    builder, enum = _named(config)
    path = find_weights(config, config_dir)
    model = builder(weights=None, **_OWN_WAYS.get(config.name, {}))
    if path is not None:
        load_into(model, read_state(path), str(enum.__members__.get(str(config.weights), path)))
    if config.weights not in enum.__members__:
        return Parent(model, config.name, _configured(config, _preset(enum.DEFAULT)))
    _refuse_normalisation(config)
    weights = enum[config.weights]
    return Parent(model, config.name, _preset(weights), tuple(weights.meta["categories"]))


def _torchvision_file(config: ParentConfig, config_dir: Path | None) -> Path:
    _, enum = _named(config)
    if config.weights in enum.__members__:
        return _enum_file(enum[config.weights], config)
    return _checkpoint(config, config_dir, f"none of torchvision's {', '.join(enum.__members__)}")


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


_OWN_WAYS: dict[str, dict[str, Any]] = {
    name: {"init_weights": True, "aux_logits": True, "transform_input": True} for name in ("googlenet", "inception_v3")
}
"""These two warn about a default of theirs unless it is given. Their weights were trained on inputs scaled otherwise;
``transform_input`` undoes ImageNet's normalisation for them, as torchvision does where it loads the weights itself."""


def _enum_file(weights: Any, config: ParentConfig) -> Path:
    """From torch's cache, whose file names end in the start of their SHA-256; fetched only where that is asked for."""
    path: Path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
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
    timm = _import_timm()
    path = find_weights(config, config_dir)
    named = path is not None and not _is_checkpoint(config)
    own = {"pretrained_cfg_overlay": {"file": str(path)}} if named else {}
    name = _timm_name(config)
    try:
        model = timm.create_model(name, pretrained=named, **own)
    except Exception as error:
        raise ModelError(f'parent.name = "{name}": timm cannot give it ({type(error).__name__}: {error}).') from None
    if named:
        _refuse_normalisation(config)
        return Parent(model, config.name, _timm_preprocessing(timm, model), _timm_classes(timm, model))
    if path is not None:
        load_into(model, read_state(path), str(path))
    return Parent(model, config.name, _configured(config, _timm_preprocessing(timm, model)))


def _import_timm() -> Any:
    try:
        import timm
    except ImportError:
        raise ConfigError('parent.source = "timm": timm is not installed. Run: pip install "evoray[timm]"') from None
    return timm


def _timm_file(config: ParentConfig, config_dir: Path | None) -> Path:
    if _is_checkpoint(config):
        return _checkpoint(config, config_dir, "no tag of timm")
    return _hub_file(_import_timm(), _timm_name(config), config)


def _is_checkpoint(config: ParentConfig) -> bool:
    return str(config.weights).endswith((".safetensors", ".pth", ".pt"))


def _timm_name(config: ParentConfig) -> str:
    """With the tag of its weights, where one is named."""
    tagged = config.weights not in ("random", "pretrained") and not _is_checkpoint(config)
    return f"{config.name}.{config.weights}" if tagged else config.name


def _hub_file(timm: Any, name: str, config: ParentConfig) -> Path:
    """The weights' file in the hub's cache; fetched only where that is asked for."""
    import huggingface_hub

    try:
        known = timm.models.get_pretrained_cfg(name)
    except RuntimeError:  # the architecture is there, the tag is not
        known = None
    if known is None or not known.has_weights or not known.hf_hub_id:
        close = timm.list_pretrained(f"{config.name}*")[:6]
        raise ConfigError(
            f'parent.name = "{config.name}", weights = "{config.weights}": timm has no such weights. '
            f"Near it: {', '.join(close) or 'none'}."
        )
    for file in ("model.safetensors", "pytorch_model.bin"):
        cached = huggingface_hub.try_to_load_from_cache(known.hf_hub_id, file)
        if isinstance(cached, str):
            return Path(cached)
    if not config.download:
        raise ModelError(
            f'parent.weights = "{config.weights}": model.safetensors of {known.hf_hub_id} is not in the hub\'s cache, '
            "and nothing is downloaded unasked. Set parent.download = true, or name the file as parent.weights."
        )
    try:
        return Path(huggingface_hub.hf_hub_download(known.hf_hub_id, "model.safetensors"))
    except Exception as error:  # of many libraries: sockets, HTTP, the hub's own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(
            f'parent.weights = "{config.weights}": model.safetensors of {known.hf_hub_id} could not be downloaded '
            f"({reason}). Where there is no network, name the file itself as parent.weights."
        ) from None


def _timm_preprocessing(timm: Any, model: nn.Module) -> Preprocessing:
    """timm's evaluation transform, where it resizes the shorter side and cuts the centre."""
    data = timm.data.resolve_model_data_config(model)
    crop = int(data["input_size"][1])
    central = data["crop_mode"] == "center"
    return Preprocessing(
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        resize=math.floor(crop / data["crop_pct"]) if central else None,
        crop=crop if central else None,
        interpolation=data["interpolation"],
        channels=int(data["input_size"][0]),
    )


def _timm_classes(timm: Any, model: nn.Module) -> tuple[str, ...] | None:
    """Synsets, where the outputs are those of one of ImageNet's sets."""
    subset = timm.data.infer_imagenet_subset(model)
    return tuple(timm.data.ImageNetInfo(subset).label_names()) if subset else None


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
    path = find_weights(config, config_dir)
    if path is not None:
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
_FILES: dict[str, Callable[[ParentConfig, Path | None], Path]] = {
    "torchvision": _torchvision_file,
    "timm": _timm_file,
    "module": lambda config, config_dir: _checkpoint(config, config_dir, "a module parent has no named weights"),
}
"""Where each source's weights lie."""
