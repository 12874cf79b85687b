"""What you would have: a network trained by gradient descent, and labelled images, of some classes far fewer.

``python have.py`` trains the network (seconds) and writes parent.safetensors: on 80 of each of MNIST's digits 0 to 4,
and 5 of each of the others. ``images()`` are those that have come since, for ``evoray data ingest``: 420 and 70.
"""

import numpy as np
import torch
from model import net
from safetensors.torch import save_file
from torch.nn import functional

from evoray import open_dataset


def digits(name, many, few):
    """uint8 [n, 28, 28] and int64 [n]: ``many`` of each of the digits 0 to 4, ``few`` of each of 5 to 9."""
    dataset = open_dataset(name)
    shards = [dataset.load(at) for at in range(len(dataset.shard_rows))]
    pictures, labels = (np.concatenate([getattr(one, part) for one in shards]) for part in ("images", "labels"))
    kept = [np.flatnonzero(labels == digit)[: many if digit < 5 else few] for digit in range(10)]
    return pictures[np.concatenate(kept), 0], labels[np.concatenate(kept)]


def images():
    """A Dataset of (picture, digit); a list is one."""
    from PIL import Image

    pictures, labels = digits("mnist5k", 420, 70)
    return [(Image.fromarray(picture), int(digit)) for picture, digit in zip(pictures, labels, strict=True)]


def train(path):
    pictures, labels = (torch.from_numpy(one) for one in digits("mnist5k-train", 80, 5))
    pictures = ((pictures / 255 - 0.1307) / 0.3081)[:, None]
    torch.manual_seed(0)
    network = net()
    steps = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(150):
        rows = torch.randint(len(labels), (50,))
        steps.zero_grad()
        functional.cross_entropy(network(pictures[rows]), labels[rows]).backward()
        steps.step()
    save_file(network.state_dict(), path)


if __name__ == "__main__":
    train("parent.safetensors")
