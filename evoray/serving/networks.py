"""A run's member, or its ensemble, as something that gives a batch's outputs.

The ensemble is one network and a recipe a member where copies would take more memory than the plan allows: the host
writes a recipe into the network, and undoes it to the last bit. Either way every digest is checked when it is loaded.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from evoray.config import RunConfig
from evoray.errors import LineageError, UsageError
from evoray.evaluation.host import ModelHost, cast_floating
from evoray.models import Parent
from evoray.models.member import member_network
from evoray.mutation import Lineage, Space, rebuild, shared_base
from evoray.mutation.document import Document
from evoray.results.export import read_member
from evoray.results.parents import of_run, parent_of_run
from evoray.runtime.reading import checked, shown, translated
from evoray.serving.plan import ENSEMBLE, Plan
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import REMEDY
from evoray.tasks.base import Batch, Outputs, Task

State = Mapping[str, Tensor]


class Network(Protocol):
    """How the answer is made. said: how it is kept, in words."""

    @property
    def said(self) -> str: ...

    def outputs(self, task: Task, batch: Batch) -> Iterator[tuple[Outputs, float]]:
        """Each member's outputs and its weight, in order; of a single network one of weight 1."""
        ...


@dataclass(frozen=True)
class Copies:
    """Networks of their own, each with a weight."""

    models: Sequence[nn.Module]
    weights: Sequence[float]

    @property
    def said(self) -> str:
        return "one network" if len(self.models) == 1 else f"{len(self.models)} networks, a copy each"

    def outputs(self, task: Task, batch: Batch) -> Iterator[tuple[Outputs, float]]:
        for model, weight in zip(self.models, self.weights, strict=True):
            yield task.outputs(model, batch), weight


@dataclass(frozen=True)
class Recipes:
    """Members as recipes on the host's one network, each with a weight."""

    host: ModelHost
    tails: Sequence[Lineage]
    weights: Sequence[float]

    @property
    def said(self) -> str:
        return f"{len(self.tails)} recipes on one network"

    def outputs(self, task: Task, batch: Batch) -> Iterator[tuple[Outputs, float]]:
        for tail, weight in zip(self.tails, self.weights, strict=True):
            with self.host.child(tail.entries):
                found = task.outputs(self.host.forward, batch)
            yield found, weight


def build(plan: Plan, config: RunConfig, dtype: torch.dtype) -> tuple[Network, Parent]:
    """The network to be served in evaluation mode on the plan's device, and the parent that it is a child of.

    Raises:
        UsageError: no such member, or the parent is not to be had. LineageError: a digest differs.
    """
    directory, given = RunDirectory(plan.location), Path(plan.parent) if plan.parent else None
    if plan.member == ENSEMBLE:
        return _ensemble(plan, config, dtype, directory, given)
    parent = _loaded(config, read_member(directory, plan.member, given).state, plan)
    return Copies([cast_floating(parent.model, dtype, torch.device(plan.device))], [1.0]), parent


def _ensemble(
    plan: Plan, config: RunConfig, dtype: torch.dtype, directory: RunDirectory, given: Path | None
) -> tuple[Network, Parent]:
    members, _ = ensemble_of(directory)
    state, documents = parent_of_run(directory, given), [_document(directory, name) for name in members]
    aliases = documents[0]["parent"].get("aliases", {})
    with translated(directory.path("space.json"), REMEDY, LineageError):
        space = Space.from_json(directory.read_json("space.json"))
    if space.others:
        space = of_run(directory, space, state, aliases, ())
    weights, parent = list(members.values()), _loaded(config, state, plan)
    rebuilt = (rebuild(document, state, space) for document in documents)
    bytes_each = sum(one.numel() * one.element_size() for one in parent.model.state_dict().values())
    device = torch.device(plan.device)
    if bytes_each * len(members) <= plan.copies:
        models = [_with(parent.model, one, aliases) for one in rebuilt]
        return Copies([cast_floating(model, dtype, device) for model in models], weights), parent
    for _ in rebuilt:  # one at a time, for its digest
        pass
    lineages = [Lineage.from_json(document["entries"]) for document in documents]
    base = shared_base(lineages)
    host = ModelHost(parent.model, space, device, dtype)
    host.set_base(base.entries)
    return Recipes(host, [Lineage(one.tail(base)) for one in lineages], weights), parent


def ensemble_of(directory: RunDirectory) -> tuple[dict[str, float], float]:
    """Members with their weights, in order, and the ensemble's temperature, 1 where it has none.

    Raises:
        UsageError: the run has no ensemble, or its file is damaged.
    """
    if not directory.exists("ensemble.json"):
        raise UsageError(
            f"{shown(directory.location)}: this run has no ensemble. Serve soup or best, or run it with ensemble.size."
        )
    found = directory.read_json("ensemble.json")
    with translated(directory.path("ensemble.json"), REMEDY, UsageError):
        members = {str(one["id"]): float(one["weight"]) for one in found["members"]}
        temperature = float(found.get("temperature") or 1)
        if not members or not all(0 < value < math.inf for value in (*members.values(), temperature)):
            raise ValueError("weights and a temperature above 0 are expected")
    return members, temperature


def _document(directory: RunDirectory, member: str) -> Any:
    name = f"lineage/{member}.json"
    document = directory.read_json(name)
    checked(Document, document, directory.path(name), REMEDY, LineageError)
    return document


def _with(model: nn.Module, state: State, aliases: Mapping[str, str]) -> nn.Module:
    found = copy.deepcopy(model)
    found.load_state_dict({**state, **{alias: state[name] for alias, name in aliases.items()}})
    return found


def _loaded(config: RunConfig, state: State, plan: Plan) -> Parent:
    return member_network(config, state, Path(plan.parent) if plan.parent else None, Path(plan.config_dir))
