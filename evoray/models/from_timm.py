"""Parents of timm, with its own evaluation transform."""

import math
import os
from pathlib import Path
from typing import Any

from torch import nn

from evoray.config import ParentConfig
from evoray.errors import ConfigError, ModelError
from evoray.models.base import Parent, Preprocessing, check_classes, configured, refuse_normalisation
from evoray.models.checkpoints.loading import file_of, with_weights
from evoray.runtime.paths import names_a_checkpoint
from evoray.runtime.reading import shown


def load(config: ParentConfig, config_dir: Path | None) -> Parent:
    """An architecture of timm: random, with weights of timm's by tag, or with a file's."""
    timm = _import_timm()
    path = find(config, config_dir)
    tagged = path is not None and not _is_file(config, timm)
    name = _name(config, timm)

    def make(classes: int | None, **ways: Any) -> nn.Module:
        given = {} if classes is None else {"num_classes": classes}
        try:
            model: nn.Module = timm.create_model(name, **{"pretrained": False, **given, **ways})
            return model
        except Exception as error:  # of any architecture's own code
            reason = f"{type(error).__name__}: {shown(error)}"
            raise ModelError(f'parent.name = "{shown(name)}": timm cannot give it ({reason}).') from None

    if tagged:
        refuse_normalisation(config)
        model = make(None, pretrained=True, pretrained_cfg_overlay={"file": str(path)})
        check_classes(config, model.num_classes)
        return Parent(model, config.name, _preprocessing(timm, model), _classes(timm, model))
    model, notes = (make(config.classes), ()) if path is None else with_weights(make, path, config)
    return Parent(model, config.name, configured(config, _preprocessing(timm, model)), notes=notes)


def find(config: ParentConfig, config_dir: Path | None) -> Path | None:
    """The file of the weights; None where they are random."""
    if config.weights == "random":
        return None
    timm = _import_timm()
    if _is_file(config, timm):
        return file_of(config, config_dir, "no tag of timm")
    return _hub_file(timm, _name(config, timm), config)


def preprocessing(config: ParentConfig) -> Preprocessing | None:
    """What the weights, or the architecture's default ones, ask of images, without reading any; None: unknown so.

    Raises:
        ConfigError: timm has no such weights.
    """
    timm = _import_timm()
    is_file = config.weights == "random" or _is_file(config, timm)
    known = _default(timm, config.name) if is_file else _known(timm, _name(config, timm), config)
    if known is None:
        return None
    found = _of_data(timm.data.resolve_data_config(pretrained_cfg=known.to_dict()))
    return configured(config, found) if is_file else found


def _default(timm: Any, name: str) -> Any:
    """What timm knows of the architecture's default weights."""
    try:
        return timm.models.get_pretrained_cfg(name)
    except RuntimeError:
        return None


def _import_timm() -> Any:
    try:
        import timm
    except ImportError:
        raise ConfigError('parent.source = "timm": timm is not installed. Run: pip install "evoray[timm]"') from None
    return timm


def _is_file(config: ParentConfig, timm: Any) -> bool:
    """A name written like a file's, or one of a file that is there and of no tag."""
    if config.weights in (None, "random", "pretrained"):
        return False
    if names_a_checkpoint(config.weights):
        return True
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{config.name.partition('.')[0]}.*")]
    return config.weights not in tags and os.path.exists(str(config.weights))


def _name(config: ParentConfig, timm: Any) -> str:
    """With the tag of its weights, where one is named."""
    tagged = config.weights not in ("random", "pretrained") and not _is_file(config, timm)
    return f"{config.name}.{config.weights}" if tagged else config.name


def _hub_file(timm: Any, name: str, config: ParentConfig) -> Path:
    """The weights' file in the hub's cache; fetched only where that is asked for."""
    import huggingface_hub

    known = _known(timm, name, config)
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


def _known(timm: Any, name: str, config: ParentConfig) -> Any:
    """What timm knows of its own weights; raises ConfigError where it has none such."""
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
    return known


def _preprocessing(timm: Any, model: nn.Module) -> Preprocessing:
    """timm's evaluation transform, where it resizes the shorter side and cuts the centre."""
    return _of_data(timm.data.resolve_model_data_config(model))


def _of_data(data: dict[str, Any]) -> Preprocessing:
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


def _classes(timm: Any, model: nn.Module) -> tuple[str, ...] | None:
    """Synsets, where the outputs are those of one of ImageNet's sets."""
    subset = timm.data.infer_imagenet_subset(model)
    return tuple(timm.data.ImageNetInfo(subset).label_names()) if subset else None


def with_tag(config: ParentConfig) -> str:
    """The architecture's name with the tag of its weights: what timm knows by that name alone goes with it."""
    return _name(config, _import_timm()) if config.weights is not None else config.name
