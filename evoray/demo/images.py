"""The main job on packaged real images: trains a small parent in seconds, evolves it, reports.

The parent is a CNN of about 106,000 weights, trained on 800 MNIST images; the 4,200 others are cut into ``select``
and ``test``. The training images are in neither.
"""

import os
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from evoray.config import RunConfig, parse_config
from evoray.data import normalise, open_dataset
from evoray.models import write_state

MEAN, STD = (0.1307,), (0.3081,)
EPOCHS, BATCH = 8, 50


class SmallCNN(nn.Module):
    """Two convolutions and two linear layers for 1x28x28 images: 105,866 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.hidden = nn.Linear(32 * 7 * 7, 64)
        self.output = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(images)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        logits: Tensor = self.output(functional.relu(self.hidden(x.flatten(1))))
        return logits


def small_cnn() -> nn.Module:
    """The demo's parent, as ``parent.name = "evoray.demo:small_cnn"`` builds it."""
    return SmallCNN()


def train_parent(seed: int, path: Path) -> None:
    """Trains on the packaged 800 images with Adam and writes the checkpoint; seconds on two cores."""
    shard = open_dataset("mnist5k-train").load(0)
    images = normalise(torch.from_numpy(shard.images.copy()), MEAN, STD, torch.float32)
    labels = torch.from_numpy(shard.labels.copy())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SmallCNN()
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
        for _ in range(EPOCHS):
            for chosen in torch.split(torch.randperm(len(labels)), BATCH):
                loss = functional.cross_entropy(model(images[chosen]), labels[chosen])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    write_state(path, {name: tensor.detach() for name, tensor in model.state_dict().items()})


def demo_config(seed: int, weights: Path, backend: str) -> RunConfig:
    """The demo's run; what a user's own configuration would say in TOML."""
    return parse_config(
        {
            "seed": seed,
            "parent": {
                "source": "module",
                "name": "evoray.demo:small_cnn",
                "weights": os.path.abspath(weights),
                "mean": MEAN,
                "std": STD,
            },
            "data": {"path": "mnist5k", "select": 0.5, "test": 0.5},
            "mutation": {"sigma": 0.1, "parts": 10, "scale": "rms"},
            "search": {"children": 40, "generations": 4},
            "ensemble": {"size": 8},
            "compute": {"backend": backend},
        },
        "the demo",
    )
