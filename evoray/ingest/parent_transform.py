"""The transform that ``--for CONFIG`` takes, and why: what a parent's own weights say, and never a library's default.

Weights with a name say how their images were cut, and so does a file that torchvision publishes and a module that
brings its preprocessing. A file of the user's says nothing: it is asked about, and ``--resize`` and ``--crop`` answer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evoray.config import ParentConfig, load_config
from evoray.data import ImageTransform
from evoray.errors import ConfigError
from evoray.runtime.reading import shown

UNTRAINED = "random"


@dataclass(frozen=True)
class ParentTransform:
    """transform: None where the parent has none and the options answer. why: one line, to be shown before ingest."""

    transform: ImageTransform | None
    why: str


def transform_for(path: Path, decoder: str, *, answered: bool) -> ParentTransform:
    """What the configuration's parent asks of its images.

    Args:
        answered: whether ``--resize`` or ``--crop`` was given beside it.

    Raises:
        ConfigError: nothing says how the parent's images were cut, and the options do not either.
    """
    from evoray.models import parent_preprocessing

    config = load_config(path)
    if answered and config.parent.source != "module" and config.parent.weights == UNTRAINED:
        return ParentTransform(None, f"transform: as the options say, for {shown(config.parent.name)} is untrained")
    parent, whose = _published(config.parent, path.parent.resolve())
    wanted = parent_preprocessing(parent, path.parent.resolve(), seed=config.seed)
    own_file = whose is None
    if own_file or (wanted.crop is None and wanted.resize is None):
        if answered:
            silent = "the file of weights names" if own_file else f"{shown(parent.name)} brings"
            return ParentTransform(None, f"transform: as the options say, for {silent} none")
        raise ConfigError(_question(path, parent, wanted, own_file))
    values: dict[str, Any] = {"decoder": decoder}
    transform = ImageTransform(
        resize=wanted.resize,
        crop=wanted.crop,
        interpolation=wanted.interpolation,
        antialias=wanted.antialias,
        channels=wanted.channels,
        **values,
    )
    unused = "; --resize and --crop are not used" if answered else ""
    return ParentTransform(transform, f"transform: {_cut(wanted)}, as {whose} say{unused}")


def _published(parent: ParentConfig, config_dir: Path) -> tuple[ParentConfig, str | None]:
    """The parent by the name of its weights where their file is torchvision's, and whose transform it is.

    Raises:
        ConfigError: torchvision has no weights of that name, and there is no such file.
    """
    from evoray.models import find_weights

    weights = str(parent.weights)
    if parent.source == "module":
        return parent, f"the preprocessing that {shown(parent.name)} brings would"
    if weights == UNTRAINED:
        return parent, f"{parent.source}'s defaults for {shown(parent.name)}, whose weights are random,"
    if not any(sign in weights for sign in "./"):
        if parent.source == "torchvision" and weights not in (known := _torchvision_files(parent.name)) and known:
            find_weights(parent, config_dir)
            return parent, None  # a file without a suffix
        return parent, f"the weights {shown(weights)} of {shown(parent.name)}"
    if parent.source == "torchvision":
        for name, url in _torchvision_files(parent.name).items():
            if url.rpartition("/")[2] == Path(weights).name:
                named = parent.model_copy(update={"weights": name})
                return named, f"torchvision's weights {name}, whose file {shown(Path(weights).name)} is,"
    return parent, None


def _torchvision_files(name: str) -> dict[str, str]:
    """Of an architecture, each enum member's URL; empty where there is no such architecture."""
    from torchvision import models

    try:
        enum: Any = models.get_model_weights(name)
    except ValueError:
        return {}
    return {member.name: member.url for member in enum}


def _question(path: Path, parent: ParentConfig, wanted: Any, own_file: bool) -> str:
    if not own_file:
        return f"--for {path}: the parent {parent.name} brings no resize or crop. Give --resize and --crop."
    usual = f" {parent.source}'s own weights for {parent.name} take {_cut(wanted)}." if wanted.crop else ""
    return (
        f"--for {path}: weights = {shown(parent.weights)!r} is a file of yours, and nothing in it says how the images "
        f"that it was trained on were cut.{usual} Give --resize and --crop "
        "beside --for: these, or those of its training."
    )


def _cut(wanted: Any) -> str:
    """``--resize 256 --crop 224 (bilinear)``"""
    crop = f" --crop {wanted.crop}" if wanted.crop is not None else ""
    resize = "none" if wanted.resize is None else wanted.resize
    return f"--resize {resize}{crop} ({wanted.interpolation})"
