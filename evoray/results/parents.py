"""The tensors that a run started from, as its digests know them: from the run itself, or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from evoray.config import parse_config
from evoray.errors import EvorayError, ModelError, UsageError
from evoray.models import canonical_state, load_parent, parse_state, read_state
from evoray.mutation import tensors_sha256
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import REMEDY

State = dict[str, Tensor]


def parent_of_run(directory: RunDirectory, path: Path | None) -> State:
    """The parent of a run: kept in it, else ``path``, else what its configuration names.

    A checkpoint holds the parent's tensors in another precision, under other names, or among others, as often as not;
    where it is not the parent as it lies there, the parent is built of it as the run was.

    Raises:
        UsageError: there is none to be had; the caller compares digests.
    """
    if path is None and directory.exists("parent.safetensors"):
        try:
            return parse_state(directory.read("parent.safetensors"), directory.path("parent.safetensors"))
        except ModelError as error:
            raise ModelError(f"{str(error).removesuffix(' Fetch it again.')} {REMEDY}") from None
    said = directory.read_json("lineage/parent.json")
    plain: State | None = None
    if path is not None:
        try:
            plain = as_recorded(read_state(path), said)
            if _is(plain, said):
                return plain
        except UsageError:
            pass  # several networks in it: the configuration says which
    try:
        return _built(directory, path)
    except EvorayError as error:
        if plain is not None:
            return plain
        if path is not None:
            raise
        raise UsageError(
            f"{directory.location}: this run keeps no parent.safetensors (its parent is large). "
            f"Name the parent's checkpoint with --parent. What config.json names cannot be used: {error}"
        ) from None


def as_recorded(state: State, document: Any) -> State:
    """A state, or the same in single precision where that is what the document's parent was; names as they are."""
    if _is(state, document):
        return state
    single = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    return single if _is(single, document) else state


def _is(state: Mapping[str, Tensor], document: Any) -> bool:
    parent = document.get("parent") if isinstance(document, Mapping) else None
    if not isinstance(parent, Mapping):
        return False
    aliases = parent.get("aliases") or {}
    return tensors_sha256({name: one for name, one in state.items() if name not in aliases}) == parent.get("sha256")


def _built(directory: RunDirectory, path: Path | None) -> State:
    """The parent built as the run built it, with the weights of ``path`` where one is given."""
    config = parse_config(directory.read_json("config.json"), directory.path("config.json"), Path.cwd())
    parent = config.parent
    if path is not None:
        whose = "name" if parent.source in ("transformers", "onnx") else "weights"
        parent = parent.model_copy(update={whose: str(path.resolve())})
    return canonical_state(load_parent(parent, Path.cwd(), seed=config.seed).model)[0]
