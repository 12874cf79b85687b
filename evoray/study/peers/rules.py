"""What two peers do to the weights of one network, written from their papers, and how far that leaves them from home.

- Evolution strategies at scale: Qiu et al., arXiv 2509.24372. Members of a population add noise to all weights in
  place and take the same noise back; the weights then move along the noise, weighted by z-scored rewards.
- RandOpt: Gan & Isola, "Neural Thickets", arXiv 2603.12228. Guesses around the weights, each of a sigma of its own from
  a short list; the best by reward vote.

Noise is independent for every weight, as both papers write it. (Both programs seed their generator anew for each
tensor, so that tensors share their first numbers; es-at-scale's README calls that partially correlated.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Weights = Sequence[Tensor]
"""All tensors of a network, changed in place."""
Evaluate = Callable[[str], float]
"""The mean reward of the network as its weights now are; the name says which one it is."""


@dataclass(frozen=True)
class Guess:
    """One of RandOpt's: weights + sigma * noise(seed), and what it was worth on ``select``."""

    seed: int
    sigma: float
    reward: float


def noise(weights: Weights, seed: int) -> Iterator[Tensor]:
    """Standard normal numbers for each tensor, in its shape and type; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    for weight in weights:
        yield torch.randn(weight.shape, generator=generator, dtype=weight.dtype)


def perturb_(weights: Weights, seed: int, sigma: float) -> None:
    """weights += sigma * noise; a product and a sum with one rounding."""
    for weight, drawn in zip(weights, noise(weights, seed), strict=True):
        weight.add_(drawn, alpha=sigma)


def restore_(weights: Weights, seed: int, sigma: float) -> None:
    """weights -= sigma * noise: what ``perturb_`` added, but for the rounding of both sums."""
    perturb_(weights, seed, -sigma)


def there_and_back_(weights: Weights, seed: int, sigma: float) -> None:
    """``perturb_`` and ``restore_`` one after the other, to the same bits, with the noise drawn once."""
    for weight, drawn in zip(weights, noise(weights, seed), strict=True):
        weight.add_(drawn, alpha=sigma)
        weight.add_(drawn, alpha=-sigma)


def evolution_strategy(
    weights: Weights,
    evaluate: Evaluate,
    *,
    population: int,
    iterations: int,
    sigma: float,
    alpha: float,
    seed: int,
    stepped: Callable[[], None] = lambda: None,
) -> list[list[float]]:
    """Leaves the tuned network in ``weights``; returns each iteration's rewards. stepped: called after each step."""
    random, seen = np.random.default_rng(seed), []
    for iteration in range(iterations):
        seeds = random.integers(2**31, size=population).tolist()
        rewards = []
        for member, own in enumerate(seeds):
            perturb_(weights, own, sigma)
            rewards.append(evaluate(f"{iteration}-{member:02d}"))
            restore_(weights, own, sigma)
        step_(weights, seeds, z_scores(rewards), alpha)
        stepped()
        seen.append(rewards)
    return seen


def z_scores(rewards: Sequence[float]) -> list[float]:
    """Rewards less their mean, over their standard deviation; all zero where they do not differ."""
    mean, spread = float(np.mean(rewards)), float(np.std(rewards))
    return [(one - mean) / spread if spread > 0 else 0.0 for one in rewards]


def step_(weights: Weights, seeds: Sequence[int], scores: Sequence[float], alpha: float) -> None:
    """weights += alpha * mean of score * noise; the mean is taken in float32."""
    streams = [noise(weights, seed) for seed in seeds]
    for weight in weights:
        mean = torch.zeros(weight.shape)
        for score, stream in zip(scores, streams, strict=True):
            mean.add_(next(stream).float(), alpha=score / len(seeds))
        weight.add_(mean.mul_(alpha).to(weight.dtype))


def randopt(weights: Weights, evaluate: Evaluate, *, guesses: int, sigmas: Sequence[float], seed: int) -> list[Guess]:
    """All guesses, in the order drawn; ``weights`` are back where they were, but for rounding."""
    random, found = np.random.default_rng(seed), []
    seeds = random.integers(2**31, size=guesses).tolist()
    for number, (own, sigma) in enumerate(zip(seeds, random.choice(sigmas, size=guesses).tolist(), strict=True)):
        perturb_(weights, own, sigma)
        found.append(Guess(own, sigma, evaluate(f"{number:02d}")))
        restore_(weights, own, sigma)
    return found


def fittest(guesses: Sequence[Guess], count: int) -> list[int]:
    """Numbers of the best, the best first; of equals the one that was drawn first."""
    return sorted(range(len(guesses)), key=lambda number: -guesses[number].reward)[:count]


def drift(weights: Weights, home: Weights) -> dict[str, float | bool]:
    """How far weights are from where they began: the largest and the root mean square of all differences, the share of
    weights that differ, and whether every bit is the same."""
    largest, squares, differing, same = 0.0, 0.0, 0, True
    for weight, first in zip(weights, home, strict=True):
        apart = (weight.double() - first.double()).abs()
        largest = max(largest, float(apart.max()))
        squares += float(apart.square().sum())
        differing += int(apart.count_nonzero())
        kind = torch.int16 if weight.element_size() == 2 else torch.int32
        same = same and torch.equal(weight.view(kind), first.view(kind))
    total = sum(weight.numel() for weight in weights)
    return {
        "largest": largest,
        "rms": math.sqrt(squares / total),
        "share_differing": differing / total,
        "same_bits": same,
    }
