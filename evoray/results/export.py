"""From a run or a lineage file to a checkpoint; every digest is checked on the way, none is skipped."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from evoray.config.allowed import did_you_mean
from evoray.errors import LineageError, UsageError
from evoray.models import parse_state, read_state, write_state
from evoray.mutation import Lineage, Space, lineage_document, rebuild, tensors_sha256
from evoray.mutation.document import Document
from evoray.mutation.recipe import DEFAULT
from evoray.mutation.registry import KINDS
from evoray.results.parents import as_recorded, of_document, of_run, parent_of_run
from evoray.runtime.reading import JSON_BYTES, checked, parse_json, shown, translated
from evoray.storage.anywhere import above, fetched, is_file, read_anywhere
from evoray.storage.directory import RECALIBRATED, RunDirectory
from evoray.storage.documents import REMEDY

OWN_LINEAGE = ("parent", "best", "soup")
"""Members that stand in no row of the population."""


@dataclass(frozen=True)
class Member:
    """One network of a run. sha256: of its weights; recipe: the lineage that gives it, as the run writes it; of
    ``soup_recalibrated`` the soup's, whose statistics are no part of it."""

    state: dict[str, Tensor]
    sha256: str
    recipe: bytes


def export_member(
    directory: RunDirectory, member: str, output: Path, parent: Path | None, towards: Sequence[Path] = ()
) -> str:
    """Writes one network of a run; returns its weights' SHA-256. Arguments and errors as ``read_member``."""
    found = read_member(directory, member, parent, towards)
    write_state(output, found.state)
    return found.sha256


def read_member(directory: RunDirectory, member: str, parent: Path | None, towards: Sequence[Path] = ()) -> Member:
    """One network of a run, put together anew.

    towards: the checkpoints of kind ``towards``, where they no longer lie where the run found them.
    ``soup_recalibrated`` is the soup with BatchNorm statistics of its own, where the run took them.
    ``best``, ``soup``, ``parent`` and the ensemble's members have lineage files. Any other child is put together
    from its row in ``population.parquet`` and its generation's base, which hold no digest of its weights.

    Raises:
        UsageError: no such member, or its parent is not there. LineageError: a digest differs.
    """
    if not all(part.isprintable() and part.strip(".") for part in member.split("/")):
        raise UsageError(
            f"{shown(member)}: no member of a run. Name parent, best, soup, or a child such as g0000/c0012."
        )
    state = parent_of_run(directory, parent)
    space = _space(directory)
    if space.others and member != "parent":
        aliases = _document(directory, "lineage/parent.json")["parent"].get("aliases", {})
        space = of_run(directory, space, state, aliases, towards)
    if member == RECALIBRATED:
        return _recalibrated(directory, state, space)
    name = f"lineage/{member}.json"
    if member not in OWN_LINEAGE and not directory.exists(name):
        document = _child_document(directory, member, state, space)
        return _member(document, json.dumps(document).encode(), state, space)
    recipe = directory.read(name, JSON_BYTES)
    with _named(directory.path(name)):
        return _member(_json(recipe, directory.path(name)), recipe, state, space)


def _recalibrated(directory: RunDirectory, state: dict[str, Tensor], space: Space) -> Member:
    """The rebuilt soup with the run's file of statistics laid over it; the digest is of the whole."""
    name = f"lineage/{RECALIBRATED}.safetensors"
    if not directory.exists(name):
        raise UsageError(
            f"{directory.location}: this run took no BatchNorm statistics for its soup. Export soup, or run it with "
            "soup.recalibrate = true."
        )
    summary = directory.read_json("summary.json")
    if RECALIBRATED not in summary:
        raise UsageError(f"{directory.path('summary.json')}: no {RECALIBRATED} in it. {REMEDY}")
    content, expected = directory.read(name), summary[RECALIBRATED]["buffers_sha256"]
    if hashlib.sha256(content).hexdigest() != expected:
        raise LineageError(f"{directory.path(name)}: damaged, summary.json says its SHA-256 is {expected}.")
    with _named(directory.path("lineage/soup.json")):
        rebuilt = _rebuilt(_document(directory, "lineage/soup.json"), state, space)
    for buffer, values in parse_state(content, name).items():
        if buffer not in rebuilt or rebuilt[buffer].shape != values.shape:
            raise LineageError(f"{directory.path(name)}: {shown(buffer)} is no tensor of the soup. {REMEDY}")
        rebuilt[buffer] = values.to(rebuilt[buffer].dtype)
    return Member(rebuilt, tensors_sha256(rebuilt), directory.read("lineage/soup.json", JSON_BYTES))


def rebuild_file(lineage: str | Path, parent: str | Path, output: Path, towards: Sequence[Path] = ()) -> Member:
    """The same from two files, or URIs; a ``space.json`` beside the lineage, or up to two folders up, is checked too.

    towards: the checkpoints that a lineage of kind ``towards`` needs besides, in any order.
    """
    try:
        content = read_anywhere(lineage, JSON_BYTES)
    except UsageError as error:
        raise UsageError(f"{error} Name a lineage file.") from None
    with _named(lineage, "Name a lineage file, as the run wrote it."):
        document = parse_json(content, str(lineage), LineageError)
    with fetched(parent) as file:
        state = as_recorded(read_state(file), document)
    space = None
    for place in above(lineage, "space.json"):
        if is_file(place):
            space = _parse_space(read_anywhere(place, JSON_BYTES), str(place))
            break
    with _named(lineage):
        if towards:
            space = of_document(document, space, state, towards)
        found = _member(document, content, state, space)
    write_state(output, found.state)
    return found


def _member(document: Mapping[str, Any], recipe: bytes, state: dict[str, Tensor], space: Space | None) -> Member:
    return Member(_rebuilt(document, state, space), str(document["weights_sha256"]), recipe)


def _rebuilt(document: Mapping[str, Any], state: dict[str, Tensor], space: Space | None) -> dict[str, Tensor]:
    rebuilt = rebuild(document, state, space)
    for alias, name in document["parent"].get("aliases", {}).items():
        if name not in rebuilt:
            raise LineageError(f"lineage: {shown(alias)} is said to be {shown(name)}, which the parent lacks. {REMEDY}")
        rebuilt[alias] = rebuilt[name].clone()
    return rebuilt


def _child_document(directory: RunDirectory, member: str, state: dict[str, Tensor], space: Space) -> Mapping[str, Any]:
    row = _row(directory, member)
    parent = _document(directory, "lineage/parent.json")
    base_name = f"lineage/bases/g{row['generation']:04d}.json"
    base = Lineage.from_json(_document(directory, base_name)["entries"])
    with translated(f"{directory.path('population.parquet')}, {member}", REMEDY, LineageError):
        if row.get("entries"):
            entries = Lineage.from_json(_json(row["entries"], f"{member}'s entries")).entries
            if not entries:
                raise ValueError("a child without a mutation")
            lineage = base.then(entries)
        else:
            mutation = directory.read_json("config.json").get("mutation") or {}
            lineage = base.child(KINDS.find(mutation.get("kind", DEFAULT)).from_row(row))
    name, aliases = parent["parent"].get("name", "parent"), parent["parent"].get("aliases", {})
    document = lineage_document(name, state, space, lineage, aliases=aliases)
    for part in ("parent", "space"):
        if document[part]["sha256"] != parent[part]["sha256"]:
            raise LineageError(
                f"the {part}'s digest differs: lineage/parent.json says {parent[part]['sha256']}, "
                f"found {document[part]['sha256']}. Use the {part} that the run was made with."
            )
    return document


def _row(directory: RunDirectory, member: str) -> dict[str, Any]:
    """A child's row of the population."""
    table = directory.read_table("population.parquet")
    if "child_id" not in table.column_names or "generation" not in table.column_names or not table.num_rows:
        raise UsageError(f"{directory.path('population.parquet')}: no children in it. {REMEDY}")
    ids = table["child_id"].to_pylist()
    if member not in ids:
        known = (*OWN_LINEAGE, RECALIBRATED, *(one for one in ids if len(member) > 4))
        raise UsageError(
            f"{shown(member)}: no such member of {shown(directory.location)}.{did_you_mean(member, known, 0.75)} "
            f"Name parent, best, soup, or a child_id "
            f"of population.parquet, such as {shown(ids[0])}."
        )
    row: dict[str, Any] = table.slice(ids.index(member), 1).to_pylist()[0]
    return row


def _document(directory: RunDirectory, name: str) -> Any:
    """One of the run's own lineages, checked as far as it is looked into here."""
    document = _json(directory.read(name, JSON_BYTES), directory.path(name))
    checked(Document, document, directory.path(name), REMEDY, LineageError)
    return document


def _space(directory: RunDirectory) -> Space:
    return _parse_space(directory.read("space.json", JSON_BYTES), directory.path("space.json"))


def _parse_space(content: bytes, origin: str) -> Space:
    document = _json(content, origin)
    with _named(origin, REMEDY):
        return Space.from_json(document)


def _json(content: bytes | str, origin: str) -> Any:
    try:
        return parse_json(content, origin, LineageError)
    except LineageError as error:
        raise LineageError(f"{error} {REMEDY}") from None


@contextmanager
def _named(origin: str | Path, remedy: str = "") -> Iterator[None]:
    """What a lineage or a space is refused for, with its file's name and, where it says none, what to do."""
    try:
        yield
    except LineageError as error:
        said = str(error).removeprefix("lineage: ")
        begins = "" if shown(origin) in said else f"{shown(origin)}: "
        raise LineageError(f"{begins}{said}{remedy and f' {remedy}'}") from None
