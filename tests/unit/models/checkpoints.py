"""A small network and what programs wrap its state in, for the tests of checkpoints."""

from __future__ import annotations

import zipfile

import torch
from torch import nn


class Net(nn.Module):
    """A convolution, BatchNorm, and a head of ``classes`` outputs."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
        self.bn = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2, classes)


class Tied(nn.Module):
    """One tensor under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight


def state(seed: int = 0, classes: int = 4) -> dict[str, torch.Tensor]:
    """Of a Net, all of its values drawn."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(one.shape, generator=generator) if one.is_floating_point() else one + seed + 1
        for name, one in Net(classes).state_dict().items()
    }


def prefixed(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: one for name, one in tensors.items()}


def same(model: nn.Module, tensors: dict[str, torch.Tensor]) -> bool:
    """Whether a model holds exactly these values."""
    own = model.state_dict()
    return own.keys() == tensors.keys() and all(torch.equal(own[name], tensors[name]) for name in own)


def rewritten(source, target, change, compression=zipfile.ZIP_STORED):
    """A copy of a torch.save file with members changed by ``change(name, content)``; None leaves one out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for member in old.infolist():
            content = change(member.filename, old.read(member))
            if content is not None:
                new.writestr(member.filename, content)
    return target
