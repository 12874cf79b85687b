"""Which blocks deserve children: shares by what they have gained per work so far.

Adaptive operator selection by probability matching (Goldberg 1990; Thierens 2005, "An adaptive pursuit strategy for
allocating operator probabilities", section 2) on a discounted mean, since what a block has to give declines as it is
taken (discounted UCB's estimate: Garivier & Moulines 2011, section 3; Fialho et al. 2010 credit improvements alone):

- the credit of a child is what it gained over its base, a child that gained nothing having none;
- q_b is the mean credit of a block's children, those of t generations ago counting DISCOUNT^t, and PRIOR more children
  of every block having the mean credit of all;
- a unit of work spent on a block gains r_b = q_b / price_b; a block's share of the work is FLOOR / B + (1 - FLOOR)
  r_b / sum r, and its share of the children is in proportion to that over price_b. The floor is one of work too: as one
  of children it would leave most of the work to blocks that gain nothing, where prices are far apart (a classifier's is
  a hundredth of the first layer's). Where nobody gained anything, every block gets the same work.

Shares become numbers of children by stochastic universal sampling (Baker 1987): every block gets its share rounded down
or up, as it is in the mean. All is a function of fitnesses, prices and seed, and of no clock.
"""

from collections.abc import Sequence

import numpy as np

DISCOUNT = 0.8
"""Of a generation: what was gained three generations ago counts half."""
HISTORY = 32
"""Generations that are remembered; the one before them would count a thousandth."""
PRIOR = 1.0
"""Children of every block that are assumed to have gained what all gain in the mean."""
FLOOR = 0.2
"""Share of the work that goes to all blocks alike, so that none is forgotten."""
CHEAPEST = 0.01
"""Price of a child at least, in forward passes: it has to be drawn and its outputs scored, however little is run."""


def credit_of(blocks: int, gains: Sequence[tuple[int, float]]) -> np.ndarray:
    """float64 [2, blocks]: how many children each block had in a generation, and the sum of what they gained.

    gains: (block, fitness minus the base's) of each child; one that is not finite gained nothing.
    """
    found = np.zeros((2, blocks))
    for block, gain in gains:
        found[:, block] += 1, gain if np.isfinite(gain) and gain > 0 else 0.0
    return found


def shares(credits: Sequence[np.ndarray], prices: Sequence[float]) -> np.ndarray:
    """float64 [blocks], summing to 1: each block's share of the next generation's children.

    credits: as ``credit_of`` gives them, generation by generation, the latest last. prices: of a child of each block.
    """
    weights = DISCOUNT ** np.arange(len(credits) - 1, -1, -1, dtype=np.float64)
    counts, gained = (weights[:, None, None] * np.stack(credits)).sum(axis=0)
    mean = gained.sum() / max(counts.sum(), 1e-12)
    quality = (gained + PRIOR * mean) / (counts + PRIOR) if mean > 0 else np.ones(len(counts))
    rate = quality / np.asarray(prices, dtype=np.float64) if mean > 0 else quality
    work = FLOOR / len(rate) + (1 - FLOOR) * rate / rate.sum()
    children = work / np.asarray(prices, dtype=np.float64)
    return np.asarray(children / children.sum())


def allocate(share: np.ndarray, children: int, offset: float) -> list[int]:
    """The block of each of so many children, ascending; ``offset`` in [0, 1) says where the sampling begins."""
    edges = np.cumsum(share) / share.sum() * children
    places = np.arange(children) + offset
    found: list[int] = np.minimum(np.searchsorted(edges, places, side="right"), len(share) - 1).tolist()
    return found
