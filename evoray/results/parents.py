"""The tensors that a run started from, as its digests know them: from the run itself, or from checkpoints.

Those are the parent's and, of kind ``towards``, the other checkpoints', found again by digest wherever they lie now.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from evoray.config import parse_config
from evoray.errors import ConfigError, EvorayError, LineageError, ModelError, UsageError
from evoray.models import canonical_state, load_parent, parse_state, read_state
from evoray.models.checkpoints.others import read_other
from evoray.models.onnx.file import with_integers
from evoray.mutation import Space, tensors_sha256
from evoray.mutation.document import Document, beside
from evoray.runtime.reading import checked
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
    """A state, or the same in single precision, or with the integer weights of its graph taken out, where that is what
    the document's parent was; names as they are."""
    if _is(state, document):
        return state
    if _is(apart := with_integers(state), document):
        return apart
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


def of_run(directory: RunDirectory, space: Space, state: State, aliases: Any, files: Sequence[Path]) -> Space:
    """A run's space with its checkpoints, of ``files`` or of where the run found them. Raises as ``with_others``."""
    config = directory.read_json("config.json")
    named = (config.get("mutation") or {}).get("towards")
    known = [Path(one) for one in named if isinstance(one, str)] if isinstance(named, list) else []
    key = (config.get("parent") or {}).get("weights_key")
    return with_others(space, state, aliases, files or known, key if isinstance(key, str) else None)


def with_others(
    space: Space, state: State, aliases: Mapping[str, str], files: Sequence[Path], weights_key: str | None = None
) -> Space:
    """The space with the differences of its checkpoints from the parent.

    Raises:
        UsageError: a file is not there, or is no checkpoint of the parent's architecture. LineageError: a checkpoint
            that the space names by digest is in none of them.
    """
    space.check(state)
    own = {name: tensor for name, tensor in state.items() if name not in aliases}
    aliases = {alias: name for alias, name in aliases.items() if name in own}
    try:
        others = [read_other(str(file), own, aliases, None, weights_key) for file in files]
    except ConfigError as error:
        raise UsageError(f"{str(error).partition(' Name a checkpoint')[0]} Name it with --towards.") from None
    return beside(space, state, others)


def of_document(document: Any, space: Space | None, state: State, files: Sequence[Path]) -> Space:
    """The space of a lineage's document with its checkpoints; space: a ``space.json`` beside it, if any. Raises as
    ``with_others``."""
    whole = checked(Document, document, "lineage", "Name a lineage file, as the run wrote it.", LineageError)
    own = Space.from_json(document["space"]) if "tensors" in document["space"] else space
    if own is None or not own.others:
        raise UsageError("--towards: the lineage names no checkpoints, so it needs none. Leave it out.")
    return with_others(own, state, whole.parent.aliases, files)
