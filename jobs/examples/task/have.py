"""What you would have: a network that gives the cosine and sine of an angle, and pictures whose angles are known.

``python have.py`` trains it on squared error (seconds) and writes parent.safetensors; ``--short`` trains it less.
``pictures()`` are others, for ``evoray data ingest``. Here they are MNIST's
2, 3, 4, 5 and 7, each turned by an angle drawn for it.
"""

import sys

import numpy as np
import torch
from model import net
from safetensors.torch import save_file
from torch.nn import functional
from torchvision.transforms.functional import rotate

from evoray import open_dataset

DIGITS = (2, 3, 4, 5, 7)  # no other digit upside down


def turned(name, times=1, seed=0):
    """float32 [n, 1, 28, 28], 0 to 1, and degrees [n], -180 to 180."""
    dataset = open_dataset(name)
    shards = [dataset.load(at) for at in range(len(dataset.shard_rows))]
    found = torch.from_numpy(np.concatenate([one.images[np.isin(one.labels, DIGITS)] for one in shards]))
    upright = (found / 255).repeat(times, 1, 1, 1)
    degrees = torch.rand(len(upright), generator=torch.Generator().manual_seed(seed)) * 360 - 180
    return torch.stack([rotate(one, float(by)) for one, by in zip(upright, degrees, strict=True)]), degrees


def pictures():
    return torch.utils.data.TensorDataset(*turned("mnist5k"))


def train(path, times=4, steps=400):
    images, degrees = turned("mnist5k-train", times, seed=1)
    angles = torch.deg2rad(degrees)
    wanted = torch.stack([angles.cos(), angles.sin()], dim=1)
    torch.manual_seed(0)
    network = net()
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(steps):
        rows = torch.randint(len(images), (64,))
        optimiser.zero_grad()
        functional.mse_loss(network(images[rows]), wanted[rows]).backward()
        optimiser.step()
    save_file(network.state_dict(), path)


if __name__ == "__main__":
    train("parent.safetensors", *((1, 60) if "--short" in sys.argv else ()))
