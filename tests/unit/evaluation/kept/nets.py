"""Small networks that are cut: each with what makes cutting hard, and a way to make a worker of one."""

from __future__ import annotations

import torch
from torch import nn

from evoray.config import DataConfig
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.program import Program
from evoray.fitness import FitnessSpec
from evoray.models import canonical_state
from evoray.mutation import Space


class Plain(nn.Module):
    """conv, in-place ReLU, a skip connection, a head."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, images):
        start = torch.relu_(self.norm(self.first(images)))
        out = self.second(start).relu_()
        out += start
        return self.head(out.mean((2, 3)))


class WritesAtTheCut(Plain):
    """What is alive before ``second`` is written behind it."""

    def forward(self, images):
        start = self.first(images)
        out = self.second(start)
        return self.head(start.relu_().mean((2, 3)) + out.mean((2, 3)))


class WritesAView(Plain):
    """Two values alive before ``second`` share memory, and one is written behind it: no copy keeps them together."""

    def forward(self, images):
        start = self.first(images)
        flat = start.flatten(1)
        out = self.second(start.detach().clone())
        start.relu_()
        return self.head(out.mean((2, 3))) + flat[:, :5]


class Chunks(Plain):
    """An operation that returns several tensors, before and behind the cut."""

    def forward(self, images):
        one, two = self.first(images).chunk(2, dim=1)
        three, four = self.second(torch.cat([two, one], 1)).split(4, dim=1)
        return self.head(torch.cat([three, four], 1).mean((2, 3)))


class Tied(Plain):
    """``second`` is used at the beginning as well."""

    def forward(self, images):
        start = self.second(self.first(images))
        return self.head(self.second(start).mean((2, 3)))


class Unused(Plain):
    def __init__(self):
        super().__init__()
        self.extra = nn.Linear(3, 3)


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.cut = nn.Conv2d(3, 16, 4, stride=4)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.token = nn.Parameter(torch.zeros(1, 1, 16))
        self.head = nn.Linear(16, 5)

    def forward(self, images):
        rows = self.cut(images).flatten(2).transpose(1, 2)
        rows = torch.cat([self.token.expand(len(rows), -1, -1), rows], 1)
        return self.head(self.layers(rows)[:, 0])


class Branches(Plain):
    """Its code looks at its images."""

    def forward(self, images):
        start = self.first(images)
        if start.mean().item() > 0:
            start = start * 2
        return self.head(self.second(start).mean((2, 3)))


class Draws(Plain):
    def forward(self, images):
        start = self.first(images)
        return self.head(self.second(start + torch.rand_like(start)).mean((2, 3)))


class ThroughNumPy(Plain):
    """What the dispatcher does not see, behind the cut."""

    def forward(self, images):
        start = self.second(self.first(images))
        return torch.from_numpy(self.head(start.mean((2, 3))).numpy() * 2)


class NumPyBefore(Plain):
    """The same before the cut, where its code is run."""

    def forward(self, images):
        return self.head(self.second(torch.from_numpy(self.first(images).float().numpy() * 2).to(images)).mean((2, 3)))


class KeepsACopy(Plain):
    """The head's weights are copied when ``eval()`` is called, as LeViT keeps its biases."""

    def train(self, mode=True):
        super().train(mode)
        self.kept = None if mode else self.head.weight.detach() * 1.0
        return self

    def forward(self, images):
        return self.second(self.first(images)).mean((2, 3)) @ self.kept.T


CUTTABLE = (Plain, WritesAtTheCut, WritesAView, Chunks, Tied, Unused, Attends)
NOT = {
    Branches: "depends on the batch",
    Draws: "draws random numbers",
    ThroughNumPy: "other bits",
    KeepsACopy: "other bits",
}


def worker(kind, names=("*",), *, images=21, batch_size=8, dtype="float32", **program):
    """An evaluator of a network whose tensors of these names may change."""
    torch.manual_seed(0)
    model = kind().eval() if isinstance(kind, type) else kind
    state, _ = canonical_state(model)
    parameters = dict(model.named_parameters())
    chosen = [name for name in state if name in parameters and any(one in ("*", name.split(".")[0]) for one in names)]
    mock = f"mock:size=16,classes=5,shard_size=64,images={images}"
    return Evaluator(
        model,
        Program(
            space=Space.from_state(state, chosen, "rms"),
            mean=(0.5,) * 3,
            std=(0.25,) * 3,
            data=DataConfig(path=mock, test_path=mock.replace(f"images={images}", "images=2")),
            seed=0,
            fitness=FitnessSpec("nll"),
            task="image-classification",
            device="cpu",
            dtype=dtype,
            batch_size=batch_size,
            threads=1,
            compile=False,
            deterministic=True,
            **program,
        ),
    )
