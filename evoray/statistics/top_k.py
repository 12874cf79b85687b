"""Racing: which children can still be among the best k once all images are seen, judged from the images seen so far.

Children are compared with their base on the same images, so what varies is the difference d of an image, not the
image. The children's true mean differences are taken as draws of one population that is estimated from all of them
(empirical Bayes): a child that leads after few images is pulled back as far as luck explains its lead. The population
is estimated twice, as a normal one (Efron & Morris, JASA 70, 1975) and without a shape given in advance (Kiefer &
Wolfowitz 1956; Koenker & Mizera, JASA 109, 2014), and a child has the larger of the two chances that follow: the first
errs where few children are good and many bad, the second where all are alike. What is predicted is a child's mean over
*all* N images, of which n are known (sampling without replacement), so that certainty grows to one at n = N:

    M_i = n/N m_i + (1 - n/N) m'_i,   m'_i ~ N(mu_i, s^2 / (N - n)),   mu_i from the population given m_i

From these the chance of each child to be among the best k follows. A look drops the least likely ones while their
chances add up to no more than that look's share of ``(1 - confidence) * k``: the expected number of the best k that a
race loses is at most that, over all looks and children together, because expected losses add. (A distribution-free
bound such as Hoeffding races, Maron & Moore 1994, corrected for looks and children, drops nobody before the end at the
effect sizes of mutations, a twentieth of an image's spread.)

With a budget the race also drops whoever it cannot afford: what is left is split evenly over the remaining looks
(sequential halving, Karnin et al. 2013), the likeliest children go on, and the chances of the others are added to
``forced``: confidence is then not kept, and the result says how far.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

FIRST_SHARE, GROWTH = 1 / 16, 1.5
FIRST_IMAGES = 128
"""The first look comes after FIRST_SHARE of the images, at least FIRST_IMAGES; each next one GROWTH times later."""
GRID, EM_STEPS = 64, 300
FINEST = 1e-12
"""Differences of a score below this are no differences."""


def schedule(images: int) -> list[int]:
    """Images seen at each look, ascending; the last is all of them."""
    points, seen = [], max(FIRST_IMAGES, images * FIRST_SHARE)
    while seen < images / math.sqrt(GROWTH):
        points.append(round(seen))
        seen *= GROWTH
    return [*points, images]


@dataclass
class Standing:
    """What is known of m children: float64 or int64 [m]; a child that was dropped keeps what it had.

    seen: images each child was judged on. total, squares: sums of d and d*d over them (higher d is better).
    """

    seen: np.ndarray
    total: np.ndarray
    squares: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.total / self.seen)

    @property
    def variance(self) -> float:
        """Of one image's d, pooled over children: early on a single child has not met its hard images yet."""
        within = self.squares - self.total**2 / self.seen
        return float(max(within.sum(), 0.0) / max((self.seen - 1).sum(), 1))


@dataclass(frozen=True)
class Population:
    """Where children's true means lie: weights [g] on a grid of means [g]."""

    grid: np.ndarray
    weights: np.ndarray


def normal_population(standing: Standing) -> Population:
    """The normal population of largest marginal likelihood."""
    noise, mean = standing.variance / standing.seen, standing.mean
    raw = float(np.var(mean)) + FINEST**2

    def centre(spread: float) -> float:
        weights = 1 / (noise + spread)
        return float((weights * mean).sum() / weights.sum())

    def loss(log_spread: float) -> float:
        spread = math.exp(log_spread)
        return float((np.log(noise + spread) + (mean - centre(spread)) ** 2 / (noise + spread)).sum())

    bounds = (math.log(raw * 1e-6), math.log(raw * 4))
    spread = math.exp(optimize.minimize_scalar(loss, bounds=bounds, method="bounded").x)
    places = np.linspace(-4, 4, GRID)
    weights = np.exp(-(places**2) / 2)
    return Population(centre(spread) + math.sqrt(spread) * places, weights / weights.sum())


def free_population(standing: Standing) -> Population:
    """The population of any shape of largest likelihood, by EM from a flat start; EM_STEPS keep it smooth.

    Dropped children count with what they had, here as above: a decision made from the data that is in the likelihood
    does not bias it.
    """
    mean = standing.mean
    low, high = float(mean.min()), float(mean.max())
    if high <= low:
        return Population(np.array([low]), np.ones(1))
    grid = np.linspace(low, high, GRID)
    likelihood = _likelihood(standing, np.arange(len(mean)), grid)
    weights = np.full(GRID, 1 / GRID)
    for _ in range(EM_STEPS):
        joint = likelihood * weights
        weights = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
    return Population(grid, weights)


def _likelihood(standing: Standing, children: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """float64 [children, g], each row up to a factor: of the mean a child has, given each true mean."""
    # no noise finer than the grid: a child always has some likelihood on it
    noise = standing.variance / standing.seen[children] + np.ptp(grid) ** 2 / GRID**2
    exponent = -((standing.mean[children, None] - grid) ** 2) / (2 * noise[:, None])
    return np.asarray(np.exp(exponent - exponent.max(axis=1, keepdims=True)))


def chances(standing: Standing, alive: np.ndarray, images: int, k: float) -> np.ndarray:
    """float64 [alive]: of each child that is ``alive`` (indices), the chance to be among the best k on all images.

    Args:
        k: how many of the best are expected to be among them still: those lost before are no longer there to be found.
    """
    if len(alive) <= k:
        return np.ones(len(alive))
    found = [
        _chances(standing, alive, images, k, known)
        for known in (normal_population(standing), free_population(standing))
    ]
    return np.asarray(np.minimum(np.maximum(*found), 1.0))  # a sum of weights may pass one by rounding


def _chances(standing: Standing, alive: np.ndarray, images: int, k: float, known: Population) -> np.ndarray:
    posterior = _likelihood(standing, alive, known.grid) * known.weights
    posterior /= posterior.sum(axis=1, keepdims=True)
    seen, mean = standing.seen[alive], standing.mean[alive]
    share = seen / images
    predicted = (share * mean)[:, None] + (1 - share)[:, None] * known.grid
    rest = np.maximum(images - seen, 1)
    error = ((1 - share) * np.sqrt(standing.variance / rest))[:, None] + FINEST

    def above(height: float) -> np.ndarray:
        return np.asarray((posterior * special.ndtr((predicted - height) / error)).sum(axis=1))

    reach = 40 * float(error.max())
    low, high = float(predicted.min()) - reach, float(predicted.max()) + reach
    threshold = optimize.brentq(lambda height: above(height).sum() - k, low, high, xtol=1e-15)
    return above(threshold)


@dataclass(frozen=True)
class Dropped:
    """Children (indices into ``alive``) that a look drops, and the expected number of the best k among them."""

    hopeless: np.ndarray
    risk: float
    unaffordable: np.ndarray
    forced: float


def drop(chance: np.ndarray, k: int, allowed: float, affordable: int) -> Dropped:
    """Drops the least likely children: first those that ``allowed`` risk covers, then down to ``affordable``.

    Args:
        chance: float64 [alive]. allowed: expected number of the best k that may be lost at this look.
        affordable: how many children the budget lets go on; at least k always do.
    """
    order = np.argsort(chance, kind="stable")
    most = max(len(chance) - k, 0)
    covered = int(np.searchsorted(np.cumsum(chance[order]), allowed, side="right"))
    hopeless = order[: min(covered, most)]
    unaffordable = order[len(hopeless) : max(min(len(chance) - affordable, most), len(hopeless))]
    return Dropped(hopeless, float(chance[hopeless].sum()), unaffordable, float(chance[unaffordable].sum()))


def shares(looks: Sequence[int]) -> np.ndarray:
    """float64 [looks - 1]: each look's share of the risk, in proportion to the images the drop still saves."""
    saved = np.array([looks[-1] - seen for seen in looks[:-1]], dtype=np.float64)
    return saved / saved.sum() if len(saved) else saved


def affordable(left: float, looks: Sequence[int], at: int) -> int:
    """Children that may go on after look ``at`` when ``left`` images may still be spent: an even share a look."""
    following = len(looks) - 1 - at
    if not following:
        return 2**31
    step = looks[at + 1] - looks[at]
    return int(left / following // step)
