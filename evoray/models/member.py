"""A member of a run as a network of PyTorch again: the parent's architecture with other weights."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from evoray.config import ParentConfig, RunConfig
from evoray.errors import ModelError
from evoray.models.base import Parent
from evoray.models.checkpoints.files import write_state
from evoray.models.from_timm import with_tag
from evoray.models.parent import load_parent, parent_preprocessing
from evoray.models.transformers.folder import find_folder
from evoray.runtime.reading import shown


def member_network(
    config: RunConfig, state: Mapping[str, Tensor], parent: Path | None, config_dir: Path | None = None
) -> Parent:
    """The parent's architecture, built as its library does and loaded with a member's weights, in evaluation mode.

    Args:
        parent: the parent's folder, of transformers, or file, of ONNX, where it no longer lies where it did.
        config_dir: from which a module is imported; the working directory is the default.

    Raises:
        UsageError: it cannot be built here.
    """
    where = config_dir or Path.cwd()
    with tempfile.TemporaryDirectory(prefix="evoray-") as folder:
        weights = Path(folder) / "member.safetensors"
        if config.parent.source not in ("transformers", "onnx"):
            write_state(weights, state)
        found = load_parent(_with_weights(config.parent, weights, parent, where), where, seed=config.seed)
    own = found.model.state_dict()
    if other := sorted(own.keys() ^ state.keys()):
        raise ModelError(
            f"the network that is built here has other tensors than the run's ({', '.join(map(shown, other[:3]))}). "
            "Use the versions of the libraries that the run had; exported as .safetensors it needs none of them."
        )
    own.update(state)
    found.model.load_state_dict(own)
    preprocessing = found.preprocessing
    if config.parent.source == "torchvision":  # its own weights' name says it, which a file's does not
        preprocessing = parent_preprocessing(config.parent, where, seed=config.seed)
    return Parent(found.model.eval(), config.parent.name, preprocessing, found.classes, tokenizer=found.tokenizer)


def _with_weights(config: ParentConfig, weights: Path, parent: Path | None, where: Path) -> ParentConfig:
    if config.source == "transformers":
        return config.model_copy(update={"name": str(parent or find_folder(config, where)), "weights": None})
    if config.source == "onnx":
        return config.model_copy(update={"name": str(parent)}) if parent else config
    name = with_tag(config) if config.source == "timm" else config.name
    return config.model_copy(update={"name": name, "weights": str(weights), "weights_key": None})
