"""One network of a run as the folder that its parent came in, ready for ``from_pretrained``."""

import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from evoray.config import ParentConfig, parse_config
from evoray.errors import ConfigError, UsageError
from evoray.models import load_parent
from evoray.models.transformers.folder import find_folder
from evoray.models.transformers.load import silent
from evoray.models.transformers.places import without_places
from evoray.results.export import read_member
from evoray.runtime.reading import said, shown
from evoray.storage.directory import RunDirectory

SOURCE = "transformers"
WEIGHTS = (".safetensors", ".bin", ".pth", ".pt", ".h5", ".msgpack", ".gguf", ".onnx", ".safetensors.index.json")
"""Ends of names of files that are weights, and so the parent's own."""


def export_folder(
    directory: RunDirectory,
    member: str,
    output: Path,
    parent: Path | None,
    overwrite: bool = False,
    towards: Sequence[Path] = (),
) -> str:
    """Writes the parent's folder with a member's weights in place of its own; returns their SHA-256.

    Args:
        member, towards: as ``read_member`` takes them. parent: the parent's folder, where it no longer
            lies where it did.

    Raises:
        UsageError: the folder exists and may not be replaced, or the parent's is not there. LineageError: as
            ``read_member``.
    """
    _check_output(output, overwrite)
    config = _parent(directory)
    try:
        folder = parent or find_folder(config, Path.cwd())
        model = load_parent(config.model_copy(update={"name": str(folder), "weights": None})).model
    except ConfigError as error:
        raise UsageError(f"{error} Name the parent's folder with --parent.") from None
    part = output.with_name(f".{output.name}.{uuid.uuid4().hex}.part")
    try:
        part.mkdir()
        found = read_member(directory, member, parent, towards)
        fill(part, folder, model, found.state)
        if output.is_dir():
            shutil.rmtree(output)
        part.rename(output)
    except OSError as error:
        raise UsageError(f"{shown(output)}: cannot be written ({said(error)}).") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found.sha256


def fill(part: Path, folder: Path, model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Writes into an empty folder what the parent's folder holds, with a network of transformers' new weights."""
    model.load_state_dict(state)
    with silent():
        model.save_pretrained(part)  # type: ignore[operator]
    _copy_others(folder, part)
    without_places(part)


def _parent(directory: RunDirectory) -> ParentConfig:
    return parse_config(directory.read_json("config.json"), directory.path("config.json"), Path.cwd()).parent


def _copy_others(folder: Path, part: Path) -> None:
    """Configuration, tokenizer and whatever else lies there; what only the library would write goes."""
    others = {path.name for path in folder.iterdir() if path.is_file() and not path.name.endswith(WEIGHTS)}
    for path in list(part.iterdir()):
        if path.name not in others and not path.name.endswith(WEIGHTS):
            path.unlink()
    for name in others:
        shutil.copyfile(folder / name, part / name)


def _check_output(output: Path, overwrite: bool) -> None:
    if "\0" in str(output) or not output.name or output.name.endswith(WEIGHTS):
        raise UsageError(f"{shown(output)}: name a folder, or a .safetensors file for the weights alone.")
    if os.path.lexists(output):
        if not overwrite:
            raise UsageError(f"{shown(output)}: exists already. Name another folder, or add --overwrite.")
        if not (output / "config.json").is_file():
            raise UsageError(f"{shown(output)}: no folder of a network, so it is not replaced. Name another one.")
    if not output.parent.is_dir():
        raise UsageError(f"{shown(output)}: no such directory {shown(output.parent)}.")
