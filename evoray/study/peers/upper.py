"""What is no peer, and says where a gradient-free search stands: gradient descent, and calibration of the parent.

Gradient descent sees the same images that choose. A fifth of them is held out and says when to stop; the others are
trained on by AdamW. Layers are as in every arm: BatchNorm keeps the parent's statistics. Calibration fits a
temperature, and a bias a class with it, to the parent's logits on those images (Guo et al. 2017, arXiv 1706.04599).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from evoray.study.peers.problem import Images, Network

RATES = (3e-4, 1e-3, 3e-3)
WEIGHT_DECAY = 0.01
BATCH, EPOCHS, PATIENCE = 50, 40, 5
HELD_OUT = 0.2
BACKWARD = 3
"""A step's operations over a forward pass's: the pass itself, and twice as much backwards."""


@dataclass(frozen=True)
class Found:
    """CPU seconds, forward passes over all images that choose that cost as much, what says when to stop (None: nothing
    does), and the answer: a network, or what to do with the parent's logits."""

    seconds: float
    evaluations: float
    select: float
    network: Tensor | None = None
    calibrate: Callable[[Tensor], Tensor] | None = None


def gradient_descent(network: Network, rate: float, seed: int) -> Found:
    """The epoch with the lowest NLL on the held-out fifth; ``select`` of the result is that NLL."""
    begun, generator = time.process_time(), torch.Generator().manual_seed(seed)
    order = torch.randperm(len(network.select.labels), generator=generator)
    held = max(1, round(len(order) * HELD_OUT))
    stop, train = network.select[order[:held]], network.select[order[held:]]
    network.write(network.home)
    optimiser = torch.optim.AdamW(network.model.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    best, least, since, epochs = network.home, network.loss(stop), 0, 0
    while since < PATIENCE and epochs < EPOCHS:
        _epoch(network, optimiser, train, generator)
        epochs, since, loss = epochs + 1, since + 1, network.loss(stop)
        if loss < least:
            best, least, since = network.vector(), loss, 0
    passes = epochs * BACKWARD * len(train.labels) + (epochs + 1) * held
    return Found(time.process_time() - begun, passes / len(order), least, best)


def _epoch(network: Network, optimiser: torch.optim.Optimizer, train: Images, generator: torch.Generator) -> None:
    for rows in torch.split(torch.randperm(len(train.labels), generator=generator), BATCH):
        optimiser.zero_grad()
        loss = functional.cross_entropy(network.model(train.images[rows]), train.labels[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def temperature(network: Network, bias: bool, seed: int) -> Found:
    """logits / T, with a bias a class where that is asked."""
    begun, images = time.process_time(), network.select
    network.write(network.home)
    logits = network.logits(images).clone().double()
    scale = torch.zeros((), dtype=torch.double, requires_grad=True)
    shift = torch.zeros(logits.shape[1], dtype=torch.double, requires_grad=bias)
    optimiser = torch.optim.LBFGS([scale, shift] if bias else [scale], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = functional.cross_entropy(logits * scale.exp() + shift, images.labels)
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    fitted = scale.detach().exp(), shift.detach()
    select = float(functional.cross_entropy(logits * fitted[0] + fitted[1], images.labels))
    return Found(time.process_time() - begun, 1, select, calibrate=lambda one: one.double() * fitted[0] + fitted[1])
