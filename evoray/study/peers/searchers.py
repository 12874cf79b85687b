"""Gradient-free peers that need nothing but torch: a loop of one's own, and the rules of RandOpt and es-at-scale.

A setting is one number, in the weights' own units: the standard deviation of the noise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from evoray.study.peers import rules
from evoray.study.peers.trial import Trial

NARROW, WIDE = (0.0005, 0.001, 0.003), (0.003, 0.01, 0.02)
"""Three settings a peer, for those that take single steps and those that average many: around what was best on a parent
of another seed. At 0.03 no network that any of them drew was better than its parent."""
GUESSED = (0.0025, 0.005, 0.01)
"""RandOpt's list: a factor of two apart, as published."""
POPULATION = 30
"""es-at-scale's, published."""
ALPHA = 0.5
"""es-at-scale's step, in units of sigma, published."""
GUESSES = 100_000
"""More than any budget: the trial ends the search."""
Search = Callable[[Trial, Any, int], None]
"""(trial, setting, seed): searches until the trial is over."""


def own_loop(trial: Trial, sigma: float, seed: int) -> None:
    """(1+1): dense Gaussian noise on the best network so far, kept where it is better. What one writes in a minute."""
    generator = torch.Generator().manual_seed(seed)
    best, least = trial.network.home, trial.loss(trial.network.home)
    while True:
        child = best + sigma * torch.randn(best.shape, generator=generator)
        loss = trial.loss(child)
        if loss < least:
            best, least = child, loss
        trial.offer(best, least)


def randopt(trial: Trial, sigmas: Sequence[float], seed: int) -> None:
    """RandOpt's guesses, each of a sigma drawn from its list; the best is its network, the best few its ensemble."""

    def evaluate(name: str) -> float:
        loss, vector = trial.loss(), trial.network.vector()
        trial.vote(vector, loss)
        trial.offer(vector, loss)
        return -loss

    rules.randopt(trial.network.weights, evaluate, guesses=GUESSES, sigmas=sigmas, seed=seed)


def es_at_scale(trial: Trial, sigma: float, seed: int) -> None:
    """es-at-scale's steps; its answer is the network that they leave, the best of them on ``select``."""
    rules.evolution_strategy(
        trial.network.weights,
        lambda name: -trial.loss(),
        population=POPULATION,
        iterations=sys.maxsize,
        sigma=sigma,
        alpha=ALPHA * sigma,
        seed=seed,
        stepped=lambda: _kept(trial),
    )


def _kept(trial: Trial) -> None:
    """Offers the weights as they are, and leaves them so."""
    trial.offer(trial.network.vector())
