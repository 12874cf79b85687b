"""``lineage.json``: a recipe with the digests (SHA-256) of all it starts from and leads to."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from evoray.errors import LineageError
from evoray.mutation.apply import apply_lineage
from evoray.mutation.recipe import Lineage
from evoray.mutation.space import Space
from evoray.runtime.reading import checked, kind_of, shown

State = Mapping[str, Tensor]
ENTRIES, TENSORS = 10**6, 10**6
"""Of a lineage and of its space, at most."""
_REMEDY = "Name a lineage file, as the run wrote it."
KEYS = {"format", "parent", "space", "entries", "weights_sha256", "sha256"}


class _Part(BaseModel):
    """Of a document: other keys are allowed, their digests say whether they belong."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class _Parent(_Part):
    name: str | None = None
    sha256: str
    aliases: dict[str, str] = {}


class _Space(_Part):
    sha256: str
    tensors: Annotated[list[dict[str, Any]], Field(max_length=TENSORS)] | None = None


class Document(_Part):
    """What is looked into before the digests are."""

    parent: _Parent
    space: _Space
    entries: Annotated[list[dict[str, Any]], Field(max_length=ENTRIES)]
    weights_sha256: str


def child_state(state: Mapping[str, Tensor], space: Space, lineage: Lineage) -> dict[str, Tensor]:
    """The child's tensors: mutated ones rebuilt and cast to their own types, all others the parent's."""
    flat = apply_lineage(space.flatten(state), space, lineage.entries)
    return {**state, **(space.unflatten(flat) if lineage.entries else {})}


def beside(space: Space, state: State, others: Sequence[State]) -> Space:
    """The space with the checkpoints that it names, from the parent's tensors and theirs, in any order.

    Raises LineageError where one that it names is missing.
    """
    names = [spec.name for spec in space.tensors]
    found = {tensors_sha256({name: one[name] for name in names}): one for one in others if one.keys() >= set(names)}
    if lacking := [digest for digest in space.others if digest not in found]:
        raise LineageError(
            f"the checkpoint with the digest {lacking[0]}, which mutation.towards of the run named, is not among the "
            f"{len(others)} given: it is missing, or its file changed. Name the files that the run had with --towards."
        )
    return space.with_towards(space.others, differences(space, state, [found[digest] for digest in space.others]))


def differences(space: Space, state: State, others: Sequence[State]) -> np.ndarray:
    """float32 [K, n]: the flat vector of each of the others, minus the parent's."""
    flat = space.flatten(state)
    towards = np.empty((len(others), space.n), dtype=np.float32)
    for row, other in zip(towards, others, strict=True):
        np.subtract(space.flatten(other), flat, out=row)
    return towards


def lineage_document(
    parent_name: str,
    state: Mapping[str, Tensor],
    space: Space,
    lineage: Lineage,
    aliases: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The document of one network; it holds the space, so that it and the parent are enough to rebuild.

    Args:
        state: the parent's tensors, tied ones once. aliases: their further names, to the name in ``state``.
    """
    parent: dict[str, Any] = {"name": parent_name, "sha256": tensors_sha256(state)}
    if aliases:
        parent["aliases"] = dict(aliases)
    document = {
        "format": space.format,
        "parent": parent,
        "space": {"sha256": space.sha256, **space.to_json()},
        "entries": lineage.to_json(),
        "weights_sha256": tensors_sha256(child_state(state, space, lineage)),
    }
    return {**document, "sha256": _digest(document)}


def with_parent_name(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A document whose parent is called otherwise: its own digest is made anew, all others are what they were."""
    renamed = {**document, "parent": {**document["parent"], "name": name}}
    renamed.pop("sha256", None)
    return {**renamed, "sha256": _digest(renamed)}


def rebuild(
    document: Any, state: Mapping[str, Tensor], space: Space | None = None, others: Sequence[State] = ()
) -> dict[str, Tensor]:
    """The tensors a document describes, from the parent's.

    Args:
        state: the parent's tensors; names that the document lists as aliases are left out of it.
        space: a space kept elsewhere (``space.json``), which must be the same.
        others: the tensors of the checkpoints that a lineage of format 3 names by digest, in any order.

    Raises:
        LineageError: the document is malformed, or a digest differs; the message names which.
    """
    parent, own = opened(document, space)
    aliases = document["parent"].get("aliases", {})
    state = {name: tensor for name, tensor in state.items() if name not in aliases}
    _same("parent", parent, tensors_sha256(state), "Give the checkpoint that the run started from.")
    own = beside(own, state, others) if others else space if space is not None else own
    rebuilt = child_state(state, own, Lineage.from_json(document["entries"]))
    found = tensors_sha256(rebuilt)
    _same("weights", document["weights_sha256"], found, "The lineage's entries or its weights_sha256 changed.")
    return rebuilt


def opened(document: Any, space: Space | None = None) -> tuple[str, Space]:
    """The parent's digest and the space, once the document is known to be whole. Raises LineageError."""
    if not isinstance(document, dict):
        raise LineageError(f"lineage: {kind_of(document)} where an object is expected. {_REMEDY}")
    if "format" not in document:
        raise LineageError(f"lineage: it says no format, so it is no lineage. {_REMEDY}")
    if document["format"] not in (1, 2, 3, 4):
        said_of = f"format is {shown(document['format'], 40)}, this program knows 1 to 4"
        raise LineageError(f"lineage: {said_of}. Use the EvoRay that wrote it.")
    if not document.keys() <= KEYS:
        raise LineageError(f"lineage: {shown(sorted(document.keys() - KEYS))} is no part of it. The file was changed.")
    whole = checked(Document, document, "lineage", _REMEDY, LineageError)
    rest = {key: value for key, value in document.items() if key != "sha256"}
    _same("lineage", document.get("sha256", _digest(rest)), _digest(rest), "The file was changed.")
    said, parent = whole.space.sha256, whole.parent.sha256
    own = Space.from_json(document["space"]) if "tensors" in document["space"] else space
    if own is None:
        raise LineageError("lineage: it holds no space; put the run's space.json beside it.")
    for one in (own, space or own):
        _same("space", said, one.sha256, "Use the space.json that the run wrote.")
    if document["format"] != own.format:
        raise LineageError(
            f"lineage: it is of format {document['format']}, its space of format {own.format}. The file was changed."
        )
    return parent, own


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _same(what: str, said: str, found: str, remedy: str) -> None:
    if said != found:
        raise LineageError(f"the {what} digest differs: expected {shown(said, 80)}, found {found}. {remedy}")


def tensors_sha256(state: Mapping[str, Tensor]) -> str:
    """Hex digest; name, type (``float32``) and shape (``2,3``) are UTF-8, each ended by a zero byte."""
    digest = hashlib.sha256()
    for name in sorted(state, key=str.encode):
        tensor = state[name]
        shape = ",".join(str(size) for size in tensor.shape)
        header = (name, str(tensor.dtype).removeprefix("torch."), shape)
        digest.update("".join(part + "\0" for part in header).encode())
        digest.update(little_endian(tensor))
    return digest.hexdigest()


def little_endian(tensor: Tensor) -> memoryview:
    """A tensor's values, row-major, as little-endian bytes."""
    raw = tensor.detach().cpu().contiguous().reshape(-1)
    if sys.byteorder == "big" and raw.element_size() > 1:
        raw = raw.view(torch.uint8).reshape(-1, raw.element_size()).flip(1).reshape(-1)
    return raw.view(torch.uint8).numpy().data
