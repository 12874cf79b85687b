"""The folder that others load a member from: with their library's own loader, and the model card beside it."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evoray.config import ParentConfig, RunConfig
from evoray.data import open_dataset
from evoray.errors import EvorayError
from evoray.models import Parent, write_state
from evoray.models.transformers.folder import find_folder
from evoray.models.transformers.places import named
from evoray.results.export import Member
from evoray.results.folder import fill
from evoray.runtime.reading import shown
from evoray.sharing.card import Use
from evoray.storage.directory import RunDirectory

WEIGHTS = "model.safetensors"
TWO_HEADS = ("googlenet", "inception_v3")


def use_of(directory: RunDirectory, config: RunConfig, parent: Parent | None, member: Member, folder: bool) -> Use:
    """How a member is loaded, by its library's own means, and what its images go through.

    parent: the network as it was built; None of an onnx parent. folder: whether it lies in a folder; else in a file of
    weights.
    """
    source, name = config.parent.source, config.parent.name
    through = _preprocessing(config, parent)
    if parent is None:
        return Use('import onnxruntime\n\nsession = onnxruntime.InferenceSession("model.onnx")', through)
    if source == "timm" and folder:
        call = 'import timm\n\nmodel = timm.create_model("local-dir:.", pretrained=True).eval()'
        return Use(f"{call}  # or hf-hub:OWNER/NAME", through, base_model=_base(config.parent))
    if source == "transformers" and folder:
        kind = type(parent.model).__name__
        return Use(f'from transformers import {kind}\n\nmodel = {kind}.from_pretrained(".").eval()', through)
    loads = f'model.load_state_dict(load_file("{WEIGHTS}"))\nmodel.eval()'
    if source == "torchvision":
        given = "".join(f", {key}={value!r}" for key, value in torchvision_ways(config, member.state).items())
        made = f"from torchvision import models\n\nmodel = models.get_model({name!r}, weights=None{given})"
        return Use(f"from safetensors.torch import load_file\n{made}\n{loads}", through)
    made = f"model = ...  # the architecture {shown(named(name))} of {source}, whose code is not in here"
    return Use(f"from safetensors.torch import load_file\n\n{made}\n{loads}", through)


def fill_folder(
    directory: RunDirectory, part: Path, config: RunConfig, parent: Parent | None, member: Member, given: Path | None
) -> None:
    """Writes all of the folder but the card: weights, what its library reads beside them, and the lineage."""
    source = config.parent.source
    if source == "transformers" and parent is not None:
        whence = given or find_folder(config.parent, Path.cwd())
        fill(part, whence, parent.model, member.state)
        if (part / "README.md").is_file():
            (part / "README.md").rename(part / "PARENT_README.md")
    elif parent is None:
        write_state(part / "model.onnx", member.state)
        _write(part / "config.json", {"library": "onnx", "architecture": Path(config.parent.name).name})
    elif source == "timm":
        _save_timm(directory, part, config, parent)
        write_state(part / WEIGHTS, member.state)
    else:
        ways = torchvision_ways(config, member.state) if source == "torchvision" else {}
        described = {"library": source, "architecture": named(config.parent.name), **ways}
        mean, std = parent.preprocessing.mean, parent.preprocessing.std
        classes = _class_names(directory, config)
        _write(part / "config.json", described | {"mean": mean, "std": std, "label_names": classes})
        write_state(part / WEIGHTS, member.state)
    (part / "lineage.json").write_bytes(member.recipe)


def torchvision_ways(config: RunConfig, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What torchvision's builder is to be given for a network of these tensors; found by trying, without numbers."""
    from torchvision import models

    shapes = {name: tensor.shape for name, tensor in state.items()}
    for ways in _ways(config, state):
        try:
            with torch.device("meta"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                built = models.get_model(config.parent.name, weights=None, **ways)
        except (TypeError, ValueError, RuntimeError):
            continue
        if {name: tensor.shape for name, tensor in built.state_dict().items()} == shapes:
            return ways
    return {}


def _ways(config: RunConfig, state: Mapping[str, Tensor]) -> Iterator[dict[str, Any]]:
    heads = [tensor.shape[0] for name, tensor in state.items() if tensor.ndim and not name.startswith("aux")]
    outputs = dict.fromkeys([None, config.parent.classes, *reversed(heads[-4:])])
    for count in outputs:
        for ways in _kinds(config.parent.name):
            yield ({} if count is None else {"num_classes": count}) | ways


def _kinds(name: str) -> list[dict[str, Any]]:
    """How an architecture may have been built, but for its outputs; none of these ways fetches a backbone's weights."""
    from torchvision import models

    takes = inspect.signature(models.get_model_builder(name)).parameters
    if "weights_backbone" in takes:
        heads: list[dict[str, Any]] = [{"aux_loss": True}, {"aux_loss": False}] if "aux_loss" in takes else [{}]
        return [{"weights_backbone": None} | one for one in heads]
    if name in TWO_HEADS:
        return [{"aux_logits": aux, "transform_input": True, "init_weights": False} for aux in (True, False)]
    return [{}]


def _save_timm(directory: RunDirectory, part: Path, config: RunConfig, parent: Parent) -> None:
    """timm's own ``config.json``, with the preprocessing that the run's images went through."""
    from timm.models import save_for_hf

    own = parent.preprocessing
    said: dict[str, Any] = {"mean": own.mean, "std": own.std, "interpolation": own.interpolation}
    shape = _shape(config)
    if shape is not None:
        said["input_size"] = shape
    if own.resize and own.crop:
        said |= {"crop_pct": own.crop / own.resize, "crop_mode": "center"}
    described: dict[str, Any] = {"pretrained_cfg": {key: one for key, one in said.items() if one is not None}}
    if (names := _class_names(directory, config)) is not None:
        described["label_names"] = names
    save_for_hf(parent.model, str(part), model_config=described, safe_serialization=True)


def _shape(config: RunConfig) -> tuple[int, ...] | None:
    """[C, H, W] of the run's images; None where the data is gone."""
    try:
        return tuple(open_dataset(config.data.path, Path.cwd()).image_shape)
    except EvorayError:
        return None


def _class_names(directory: RunDirectory, config: RunConfig) -> list[str] | None:
    """Of every output, where the data's classes are the outputs in their order; None where they are not known."""
    known = directory.read_json("summary.json").get("classes") if directory.exists("summary.json") else None
    try:
        names = list(open_dataset(config.data.path, Path.cwd()).classes)
    except EvorayError:
        return None
    if not isinstance(known, Mapping) or known.get("outputs") != len(names):
        return None
    chosen = known.get("data_classes") or range(len(names))
    by_output = dict(zip(chosen, names, strict=False))
    return [by_output[at] for at in range(len(names))] if sorted(by_output) == list(range(len(names))) else None


def _base(config: ParentConfig) -> str:
    """The name on the Hub of weights that timm knows by tag."""
    import timm

    from evoray.models.from_timm import with_tag

    if config.weights in (None, "random") or "/" in str(config.weights):
        return ""
    known = timm.models.get_pretrained_cfg(with_tag(config), allow_unregistered=True)
    return str(getattr(known, "hf_hub_id", "") or "")


def _preprocessing(config: RunConfig, parent: Parent | None) -> str:
    """What images went through, in a sentence; empty where records are none."""
    try:
        manifest = getattr(open_dataset(config.data.path, Path.cwd()), "manifest", None)
    except EvorayError:
        manifest = None
    own, steps = None if parent is None else parent.preprocessing, []
    transform = getattr(manifest, "transform", None) or own
    if transform is not None and getattr(transform, "resize", None):
        steps.append(f"shorter side resized to {transform.resize} ({transform.interpolation})")
    if transform is not None and getattr(transform, "crop", None):
        steps.append(f"centre {transform.crop} × {transform.crop}")
    if own is not None and own.mean is not None and own.std is not None:
        steps.append(f"x / 255, then (x − mean) / std with mean {_listed(own.mean)} and std {_listed(own.std)}")
    elif steps:
        steps.append("x / 255")
    return f"Images: {'; '.join(steps)}." if steps else ""


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{one:g}" for one in values)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps({key: one for key, one in value.items() if one is not None}, indent=2) + "\n")
