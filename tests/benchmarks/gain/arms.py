"""What is compared: the same search over all weights, behind a cut, and by depth; each with settings to choose from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from evoray.evaluation.kept.depth import first_use

ARMS = ("partition", "behind", "layered equal", "layered adaptive")


@dataclass(frozen=True)
class Setting:
    """One way of an arm. mutation: laid over ``[mutation]``; children: a generation's."""

    arm: str
    children: int
    mutation: dict[str, Any] = field(default_factory=dict)
    share: float | None = None
    """Of the weights, behind the cut."""

    @property
    def name(self) -> str:
        told = [f"{key} {self.mutation[key]}" for key in ("parts", "blocks") if key in self.mutation]
        told += [f"{self.share:.0%} behind"] if self.share is not None else []
        return ", ".join([*told, f"{self.children} children"])


def settings(arm: str, network: nn.Module, names: list[str], image: torch.Tensor) -> list[Setting]:
    """Three of each arm, so that none has the better chance."""
    if arm == "partition":
        return [Setting(arm, children, {"parts": parts}) for parts, children in ((1, 16), (4, 16), (16, 32))]
    if arm == "behind":
        found = []
        for wanted in (0.0, 0.4, 0.75):
            behind, share = behind_cut(network, names, image, wanted)
            found.append(Setting(arm, 16, {"parts": 4, "include": behind}, share))
        return found
    allocation = arm.split()[1]
    return [
        Setting(arm, max(16, blocks), {"kind": "layered", "blocks": blocks, "parts": parts, "allocation": allocation})
        for blocks, parts in ((4, 1), (10, 1), (32, 1))
    ]


def behind_cut(network: nn.Module, names: list[str], image: torch.Tensor, wanted: float) -> tuple[list[str], float]:
    """(names of the last tensors by first use that have the wanted share of the weights, the share they have).

    Tensors of one module are together.
    """
    used = first_use(network, names, lambda: network(image))
    parameters = dict(network.named_parameters(remove_duplicate=False))
    total = sum(parameters[name].numel() for name in names)
    behind: list[str] = []
    weights = 0
    for number in reversed(used.order[: used.used]):
        name = names[number]
        if behind and weights >= wanted * total and name.rpartition(".")[0] != behind[-1].rpartition(".")[0]:
            break
        behind.append(name)
        weights += parameters[name].numel()
    return behind[::-1], weights / total
