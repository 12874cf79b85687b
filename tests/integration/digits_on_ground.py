"""Segmentation made of MNIST: digits on grounds of texture, and masks that say which pixel is of which digit."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from evoray.data import open_dataset

SIDE = 24
MODELS = """
from torch import nn

class Fully(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 12, 5, stride=2, padding=2)
        self.second = nn.Conv2d(12, 16, 3, padding=2, dilation=2)
        self.last = nn.Conv2d(16, 11, 3, padding=1)

    def forward(self, images):
        found = self.second(self.first(images).relu()).relu()
        return {"out": self.last(found), "aux": found}

def make():
    return Fully()
"""


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, SIDE, SIDE, 3] and masks uint8 [n, SIDE, SIDE]: 0 ground, 1 + digit, 255 at its edge."""
    draw, shard = np.random.default_rng(seed), open_dataset("mnist5k").load(0)
    rows = draw.choice(len(shard.labels), count, replace=False)
    digits, labels = shard.images[rows, 0, 2:26, 2:26].astype(np.float64), shard.labels[rows]
    waves = np.sin(np.arange(SIDE) * draw.uniform(0.2, 1.5, (count, 1)) + draw.uniform(0, 6, (count, 1)))
    ground = 90 + 50 * waves[:, :, None] * waves[:, None, ::-1] + draw.normal(0, 12, digits.shape)
    share = digits[..., None] / 255
    images = ground[..., None] * (1 - share) + draw.uniform(120, 255, (count, 1, 1, 3)) * share
    masks = np.where(digits > 140, labels[:, None, None] + 1, np.where(digits > 60, 255, 0))
    return images.clip(0, 255).astype(np.uint8), masks.astype(np.uint8)


def train(network: nn.Module, images: np.ndarray, masks: np.ndarray, steps: int) -> None:
    """A few steps of gradient descent, maps enlarged to the masks' size."""
    inputs, labels = torch.from_numpy(images).permute(0, 3, 1, 2) / 255, torch.from_numpy(masks).long()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(steps):
        some = torch.arange(step * 32, step * 32 + 32) % len(inputs)
        maps = nn.functional.interpolate(network(inputs[some])["out"], size=labels.shape[1:], mode="bilinear")
        loss = nn.functional.cross_entropy(maps, labels[some], ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
