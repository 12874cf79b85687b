"""Other checkpoints of a parent's architecture: their tensors under the parent's names, in its types and shapes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from evoray.errors import ConfigError, ModelError
from evoray.models.checkpoints.files import read_checkpoint, read_state
from evoray.models.checkpoints.fitting import fitted
from evoray.models.onnx.file import SUFFIX, with_graph_of, with_integers
from evoray.models.tensors import all_finite
from evoray.mutation import Space, tensors_sha256
from evoray.runtime.paths import found_from
from evoray.runtime.reading import shown

KEY = "mutation.towards"


def with_checkpoints(
    space: Space,
    files: Sequence[str],
    state: Mapping[str, Tensor],
    aliases: Mapping[str, str],
    config_dir: Path | None = None,
    weights_key: str | None = None,
) -> Space:
    """The space with the differences of checkpoints from the parent, one read after the other; itself without files.

    Args:
        files: as ``mutation.towards`` names them, relative to the working directory or to ``config_dir``.
        state, aliases: the parent's, as ``canonical_state`` gives them.

    Raises:
        ConfigError: a file is not there, or holds the parent itself or another one's weights again.
        ModelError: it cannot be read, or does not fit the parent; a tensor that does not is named.
    """
    if not files:
        return space
    flat, found = space.flatten(state), np.empty((len(files), space.n), dtype=np.float32)
    digests: dict[str, str] = {}
    for file, row in zip(files, found, strict=True):
        other = read_other(file, state, aliases, config_dir, weights_key)
        own = {spec.name: other[spec.name] for spec in space.tensors}
        np.subtract(space.flatten(own), flat, out=row)
        if not row.any():
            raise ConfigError(
                f"{KEY}: {shown(file)} holds the parent's own weights, in all that may be mutated. Leave it out."
            )
        if (digest := tensors_sha256(own)) in digests:
            raise ConfigError(f"{KEY}: {shown(file)} holds the weights of {digests[digest]} again. Leave one out.")
        digests[digest] = shown(file)
        if not np.isfinite(row).all():
            raise ModelError(f"{KEY}: {shown(file)} is farther from the parent than a float32 can say. Leave it out.")
    return space.with_towards(list(digests), found)


def read_other(
    file: str,
    state: Mapping[str, Tensor],
    aliases: Mapping[str, str],
    config_dir: Path | None = None,
    weights_key: str | None = None,
) -> dict[str, Tensor]:
    """A checkpoint's tensors by the parent's names. Raises as ``with_checkpoints``."""
    path = found_from(file, config_dir)
    if path is None:
        raise ConfigError(
            f"{KEY}: {shown(file)}: no such file. Name a checkpoint of the parent's architecture, relative to the "
            "working directory or to the configuration's folder."
        )
    own = {**state, **{alias: state[name] for alias, name in aliases.items()}}
    try:
        graph = path.name.lower().endswith(SUFFIX)
        content = _of_graph(path, state) if graph else read_checkpoint(path)
        found = fitted(own, aliases, content, str(path), weights_key)
    except ModelError as error:
        raise ModelError(f"{KEY}: {error}") from None
    for name, tensor in found.items():
        if tensor.is_floating_point() and not all_finite(tensor):
            raise ModelError(f"{KEY}: {shown(file)}: {shown(name)} holds NaN or infinity. Take another checkpoint.")
    return found


def _of_graph(path: Path, parent: Mapping[str, Tensor]) -> dict[str, Tensor]:
    try:
        return with_graph_of(with_integers(read_state(path), parent), parent)
    except ModelError as error:
        raise ModelError(str(error) if shown(path) in str(error) else f"{shown(path)}: {error}") from None


def identity_of(space: Space) -> dict[str, Any]:
    """The digest of each checkpoint by its place in ``mutation.towards``, which a resumed run must find unchanged."""
    return {"checkpoints": {str(at): one for at, one in enumerate(space.others, 1)}} if space.others else {}


def said_of(space: Space) -> tuple[str, ...]:
    """What a user should know of the memory that a space's checkpoints take."""
    if not space.others:
        return ()
    size = space.towards.nbytes / 2**20
    several = f"{len(space.others)} checkpoints" if len(space.others) > 1 else "one checkpoint"
    return (f"{KEY}: {several}, whose differences from the parent take {size:.3g} MiB more, once a node",)
