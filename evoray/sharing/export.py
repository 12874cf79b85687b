"""``evoray export``: from a member of a run to what others load, in the format that was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from evoray.config import RunConfig, parse_config
from evoray.errors import ConfigError, UsageError
from evoray.models import Parent, write_state
from evoray.models.member import member_network
from evoray.models.transformers.places import named
from evoray.mutation.document import with_parent_name
from evoray.results.export import Member, read_member
from evoray.results.folder import export_folder
from evoray.runtime.reading import shown
from evoray.sharing import push as pushing
from evoray.sharing.card import card
from evoray.sharing.folder import fill_folder, use_of
from evoray.sharing.formats import HUB, chosen, of_name
from evoray.sharing.graphs import graph_of, write_onnx, write_pt2
from evoray.sharing.network import example_of
from evoray.sharing.placing import check_place, placed
from evoray.storage.directory import RunDirectory

GRAPHS = {"onnx": write_onnx, "pt2": write_pt2}
CARD = "README.md"


@dataclass(frozen=True)
class Wanted:
    """What is asked for beside member and output.

    format: None, as the output's name says. parent: the parent's checkpoint or folder, where the run keeps none;
    towards: checkpoints of that kind. pixels: normalisation goes into the graph. card: a card beside a file. push: the
    repository that a folder is sent to, ``public`` or not.
    """

    format: str | None = None
    parent: Path | None = None
    towards: Sequence[Path] = ()
    overwrite: bool = False
    pixels: bool = False
    card: bool = False
    push: str | None = None
    public: bool = False


@dataclass(frozen=True)
class Shared:
    """What was written. recipe_bytes: of the lineage that gives these weights; difference: the largest, of a graph's
    answers from the network's; url: where it was sent."""

    output: Path
    format: str
    sha256: str
    recipe_bytes: int
    difference: float | None = None
    card: Path | None = None
    url: str | None = None


def share(directory: RunDirectory, member: str, output: Path, wanted: Wanted) -> Shared:
    """Writes one network of a run, whole or not at all.

    Raises:
        UsageError: what is asked for does not fit, or cannot be written. LineageError: a digest differs. RunError: a
            hub took nothing.
    """
    if wanted.format == "safetensors" or (wanted.format is None and of_name(output) == "safetensors"):
        config, found = None, chosen("safetensors", output, "module")
    else:
        config = _config(directory)
        found = chosen(wanted.format, output, config.parent.source)
    beside = output.with_name(f"{output.name}.md") if wanted.card and found != HUB else None
    _check(found, output, wanted, beside)
    api = pushing.hub(wanted.push) if wanted.push else None
    if found == HUB:
        shared = _folder(directory, member, output, wanted, config or _config(directory))
    else:
        shared = _file(directory, member, output, wanted, found, config, beside)
    url = pushing.push(api, output, wanted.push, wanted.public) if wanted.push else None
    return Shared(**{**vars(shared), "url": url})


def _check(found: str, output: Path, wanted: Wanted, beside: Path | None) -> None:
    check_place(output, found == HUB, wanted.overwrite)
    if beside is not None:
        check_place(beside, False, wanted.overwrite)
    if wanted.push and found != HUB:
        raise UsageError(f"--push: a folder is sent, and {shown(output)} is a file. Add --format {HUB}.")
    if wanted.public and not wanted.push:
        raise UsageError("--public: nothing is sent without --push. Leave it out.")
    if wanted.pixels and found not in GRAPHS:
        raise UsageError(f"--pixels: of --format {' and '.join(GRAPHS)}, whose graph can hold it. Leave it out.")


def _file(
    directory: RunDirectory,
    name: str,
    output: Path,
    wanted: Wanted,
    found: str,
    config: RunConfig | None,
    beside: Path | None,
) -> Shared:
    member = leaving(read_member(directory, name, wanted.parent, wanted.towards))
    of_onnx = found == "onnx" and config is not None and config.parent.source == "onnx"
    network, difference, text = None, None, ""
    if (found in GRAPHS and not of_onnx) or beside is not None:
        config = config or _config(directory)
        network = _built(config, member, wanted.parent)
    if beside is not None and config is not None:
        text = card(directory, config, name, member, use_of(directory, config, network, member, False), output)
    with placed(output, False) as part:
        if found == "torch":
            torch.save({key: one.clone() for key, one in member.state.items()}, part)  # a view would bring all it sees
        elif found in GRAPHS and not of_onnx and config is not None and network is not None:
            example = example_of(config, network)
            graph, inputs = graph_of(network.model, example, wanted.pixels)
            said = _said(config, name, member, wanted.pixels, example.mean, example.std)
            difference = GRAPHS[found](graph, inputs, part, said)
        else:
            write_state(part, member.state)
    if beside is not None:
        with placed(beside, False) as part:
            part.write_text(text)
    return Shared(output, found, member.sha256, len(member.recipe), difference, beside)


def _folder(directory: RunDirectory, name: str, output: Path, wanted: Wanted, config: RunConfig) -> Shared:
    source, card_wanted = config.parent.source, wanted.format == HUB or wanted.card or wanted.push
    if source == "transformers" and not card_wanted:
        sha256 = export_folder(directory, name, output, wanted.parent, wanted.overwrite, wanted.towards)
        recipe = read_member(directory, name, wanted.parent, wanted.towards).recipe
        return Shared(output, HUB, sha256, len(recipe))
    member = leaving(read_member(directory, name, wanted.parent, wanted.towards))
    network = _built(config, member, wanted.parent)
    text = card(directory, config, name, member, use_of(directory, config, network, member, True), output)
    with placed(output, True) as part:
        fill_folder(directory, part, config, network, member, wanted.parent)
        (part / CARD).write_text(text)
    return Shared(output, HUB, member.sha256, len(member.recipe), card=output / CARD)


def _built(config: RunConfig, member: Member, parent: Path | None) -> Parent | None:
    """The network; None of an onnx parent, whose state is the whole of it."""
    if config.parent.source == "onnx":
        return None
    try:
        return member_network(config, member.state, parent if config.parent.source == "transformers" else None)
    except ConfigError as error:
        more = " Name the parent's folder with --parent." if config.parent.source == "transformers" else ""
        raise UsageError(f"{error}{more}") from None


def _said(
    config: RunConfig, name: str, member: Member, pixels: bool, mean: tuple[float, ...], std: tuple[float, ...]
) -> dict[str, Any]:
    """What a graph says of itself. mean, std: what it does itself with pixels, or wants done: of images alone."""
    takes = "uint8 pixels [n, C, H, W]" if pixels else "(x / 255 - mean) / std" if mean else "the task's inputs"
    return {
        "evoray.member": name,
        "evoray.parent": named(config.parent.name),
        "evoray.task": config.task.name,
        "evoray.weights_sha256": member.sha256,
        "evoray.input": takes,
        "evoray.normalisation": "inside" if pixels else "outside" if mean else "none",
        "evoray.mean": list(mean),
        "evoray.std": list(std),
    }


def _config(directory: RunDirectory) -> RunConfig:
    return parse_config(directory.read_json("config.json"), directory.path("config.json"), Path.cwd())


def leaving(member: Member) -> Member:
    """The member with a recipe that names no place; byte for byte the run's own where that names none already."""
    document = json.loads(member.recipe)
    name = document["parent"].get("name")
    if not isinstance(name, str) or named(name) == name:
        return member
    return replace(member, recipe=(json.dumps(with_parent_name(document, named(name)), indent=1) + "\n").encode())
