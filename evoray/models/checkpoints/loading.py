"""A network with the weights of a file: built with as many outputs as the file's head has."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from evoray.config import ParentConfig
from evoray.errors import ConfigError, ModelError
from evoray.models.checkpoints.files import read_checkpoint
from evoray.models.checkpoints.fitting import choose, install, said
from evoray.models.precision import of_file
from evoray.runtime.paths import found_from
from evoray.runtime.reading import shown

Make = Callable[[int | None], nn.Module]
"""Builds an architecture with so many outputs; None: as many as it has by itself."""


def with_weights(make: Make, path: Path, config: ParentConfig) -> tuple[nn.Module, tuple[str, ...]]:
    """The model with the weights that fit it, and what is to be said of them.

    Raises:
        ModelError: the file cannot be read, or fits neither as it is nor with another head.
    """
    origin, notes = str(path), []
    content = read_checkpoint(path)
    model = make(config.classes)
    chosen = choose(model, content, config.weights_key, origin)
    if chosen.fit.head is not None and config.classes is not None:
        raise ModelError(
            f"{shown(origin)}: its head has {chosen.fit.head[0]} outputs, and parent.classes = {config.classes}. "
            f"Set parent.classes = {chosen.fit.head[0]}, or leave it out."
        )
    if chosen.fit.head is not None:
        theirs, ours = chosen.fit.head
        model = make(theirs)
        chosen = choose(model, content, config.weights_key, origin)
        notes.append(f"{config.name} built with {theirs} outputs, as {shown(origin)} has, in place of its own {ours}")
    install(model, chosen, origin)
    line = said(chosen, content, config.weights_key, origin)
    taken = {theirs: chosen.state[theirs] for theirs in chosen.fit.names.values()}
    return model, (*((line,) if line else ()), *notes, *of_file(taken, model.state_dict(), origin))


def file_of(config: ParentConfig, config_dir: Path | None, otherwise: str) -> Path:
    """The file or folder that ``weights`` names, relative to the working directory or to the configuration's folder.

    Raises:
        ConfigError: there is none; ``otherwise`` says what else might have been meant.
    """
    path = found_from(str(config.weights), config_dir)
    if path is None:
        raise ConfigError(f'parent.weights = "{shown(config.weights)}": no such file, and {otherwise}.')
    return path
