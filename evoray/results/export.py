"""From a run or a lineage file to a checkpoint; every digest is checked on the way, none is skipped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from evoray.errors import LineageError, UsageError
from evoray.models import parse_state, read_state, write_state
from evoray.mutation import Lineage, Space, lineage_document, rebuild, tensors_sha256
from evoray.mutation.registry import DEFAULT, KINDS
from evoray.results.parents import as_recorded, parent_of_run
from evoray.storage.directory import RECALIBRATED, RunDirectory


def export_member(directory: RunDirectory, member: str, output: Path, parent: Path | None) -> str:
    """Writes one network of a run; returns its weights' SHA-256.

    ``soup_recalibrated`` is the soup with BatchNorm statistics of its own, where the run took them.
    ``best``, ``soup``, ``parent`` and the ensemble's members have lineage files. Any other child is put together
    from its row in ``population.parquet`` and its generation's base, which hold no digest of its weights.
    """
    state = parent_of_run(directory, parent)
    space = _space(directory)
    if member == RECALIBRATED:
        return _write_recalibrated(directory, state, space, output)
    if directory.exists(f"lineage/{member}.json"):
        document = _json(directory.read(f"lineage/{member}.json"), f"lineage/{member}.json")
    else:
        document = _child_document(directory, member, state, space)
    return _write(document, state, space, output)


def _write_recalibrated(directory: RunDirectory, state: dict[str, Tensor], space: Space, output: Path) -> str:
    """The rebuilt soup with the run's file of statistics laid over it; the digest is of what is written."""
    name = f"lineage/{RECALIBRATED}.safetensors"
    if not directory.exists(name):
        raise UsageError(
            f"{directory.location}: this run took no BatchNorm statistics for its soup. Export soup, or run it with "
            "soup.recalibrate = true."
        )
    content, expected = directory.read(name), directory.read_json("summary.json")[RECALIBRATED]["buffers_sha256"]
    if hashlib.sha256(content).hexdigest() != expected:
        raise LineageError(f"{directory.path(name)}: damaged, summary.json says its SHA-256 is {expected}.")
    rebuilt = _rebuilt(_json(directory.read("lineage/soup.json"), "lineage/soup.json"), state, space)
    for buffer, values in parse_state(content, name).items():
        rebuilt[buffer] = values.to(rebuilt[buffer].dtype)
    write_state(output, rebuilt)
    return tensors_sha256(rebuilt)


def rebuild_file(lineage: Path, parent: Path, output: Path) -> str:
    """The same from two files; a ``space.json`` beside the lineage, or up to two folders up, is checked as well."""
    try:
        content = lineage.read_bytes()
    except OSError as error:
        raise UsageError(f"{lineage}: cannot be read ({error}). Name a lineage file.") from None
    document = _json(content, str(lineage))
    state = as_recorded(read_state(parent), document)
    space = None
    for folder in (lineage.parent, *list(lineage.resolve().parents)[1:3]):
        if (folder / "space.json").is_file():
            space = _parse_space((folder / "space.json").read_bytes(), str(folder / "space.json"))
            break
    return _write(document, state, space, output)


def _write(document: Mapping[str, Any], state: dict[str, Tensor], space: Space | None, output: Path) -> str:
    write_state(output, _rebuilt(document, state, space))
    return str(document["weights_sha256"])


def _rebuilt(document: Mapping[str, Any], state: dict[str, Tensor], space: Space | None) -> dict[str, Tensor]:
    rebuilt = rebuild(document, state, space)
    for alias, name in document["parent"].get("aliases", {}).items():
        rebuilt[alias] = rebuilt[name].clone()
    return rebuilt


def _child_document(directory: RunDirectory, member: str, state: dict[str, Tensor], space: Space) -> Mapping[str, Any]:
    rows = directory.read_table("population.parquet").to_pylist()
    row = next((row for row in rows if row["child_id"] == member), None)
    if row is None:
        raise UsageError(
            f"{member}: no such member of {directory.location}. Name parent, best, soup, or a child_id of "
            f"population.parquet, such as {rows[0]['child_id']}."
        )
    parent = _json(directory.read("lineage/parent.json"), "lineage/parent.json")
    base_name = f"lineage/bases/g{row['generation']:04d}.json"
    base = Lineage.from_json(_json(directory.read(base_name), base_name)["entries"])
    if row.get("entries"):
        lineage = base.then(Lineage.from_json(_json(row["entries"].encode(), f"{member}'s entries")).entries)
    else:
        kind = KINDS.find(directory.read_json("config.json")["mutation"].get("kind", DEFAULT))
        lineage = base.child(kind.from_row(row))
    name, aliases = parent["parent"]["name"], parent["parent"].get("aliases", {})
    document = lineage_document(name, state, space, lineage, aliases=aliases)
    for part in ("parent", "space"):
        if document[part]["sha256"] != parent[part]["sha256"]:
            raise LineageError(
                f"the {part}'s digest differs: lineage/parent.json says {parent[part]['sha256']}, "
                f"found {document[part]['sha256']}. Use the {part} that the run was made with."
            )
    return document


def _space(directory: RunDirectory) -> Space:
    return _parse_space(directory.read("space.json"), directory.path("space.json"))


def _parse_space(content: bytes, origin: str) -> Space:
    return Space.from_json(_json(content, origin))


def _json(content: bytes, origin: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise LineageError(f"{origin}: damaged, not JSON ({error}).") from None
