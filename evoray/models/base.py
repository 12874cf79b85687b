"""What a source of parents hands back: a network, and what it expects and answers."""

from dataclasses import dataclass

from torch import nn

from evoray.config import ParentConfig
from evoray.errors import ConfigError


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
    notes: tuple[str, ...] = ()
    """What was taken, stripped and left out of its checkpoint, a line each, for the user."""
    tokenizer: str | None = None
    """A folder as a tokenizer's ``save_pretrained`` writes it: what makes tokens of its texts."""


def configured(config: ParentConfig, own: Preprocessing) -> Preprocessing:
    """The parent's preprocessing with the configuration's mean and std, where it gives them."""
    if config.mean is None:
        return own
    return Preprocessing(**{**vars(own), "mean": config.mean, "std": config.std})


def check_classes(config: ParentConfig, outputs: object) -> None:
    """Raises ConfigError where another number of them is asked for than the named weights have outputs."""
    if config.classes not in (None, outputs):
        raise ConfigError(
            f'parent.classes = {config.classes}: the weights "{config.weights}" have {outputs} outputs. '
            "Leave it out, or name a file of weights with that many."
        )


def refuse_normalisation(config: ParentConfig) -> None:
    """Raises ConfigError where mean and std are given for a parent that brings its own."""
    if config.mean is not None:
        raise ConfigError(
            "parent.mean and parent.std are for parents that bring none; this one brings its own. Leave them out."
        )
