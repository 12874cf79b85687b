"""Random streams by address: every generator of a run is named by the run's seed, a stream and numbers within it.

NumPy's ``SeedSequence`` hashes (seed, spawn key), so neighbouring addresses share nothing, and a number drawn depends
on no order in which work is done.
"""

import enum
import random
from typing import Any

import numpy as np


class Stream(enum.IntEnum):
    """First word of a spawn key: what the numbers are for. Values are part of every recorded run and never change."""

    MASKS = 1
    """Which weights a mutation touches: (generation, group of disjoint children)."""
    NOISE = 2
    """What a mutation adds: (generation, child)."""
    SPLITS = 3
    """Which rows are ``select`` and which ``test``: (shard,)."""
    CMA_ES = 4
    """Candidates of CMA-ES: (generation,)."""
    SUBSETS = 5
    """Order in which races look at a shard's rows: (shard,)."""
    WINDOW = 6
    """Children of the mutation window: (parts,)."""
    AUTO_SIGMA = 7
    """Children that ``sigma = "auto"`` is read from: (stage, sigma)."""
    ALLOCATION = 8
    """Where the children of an adaptive allocation are rounded to whole ones: (generation,)."""
    ANSWERS = 9
    """Tokens of an answer that is sampled: (record,)."""
    TEST_SAMPLE = 11
    """Children looked at on ``test``, under the run's seed."""
    SMALL_PARENT_IMAGES = 11
    """Images held out when a study trains its parents, under seed 0. By mischance the number of ``TEST_SAMPLE``: under
    seed 0 both start from one generator, of which one draws children and the other images."""


def derive_seed(seed: int, *key: int) -> int:
    """A 64-bit seed addressed by ``key`` (a stream and what numbers it) under ``seed``."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0])


def generator(seed: int, *key: int) -> np.random.Generator:
    """A Philox generator addressed in the same way."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def generators() -> tuple[Any, ...]:
    """States of torch's, Python's and NumPy's global generators, comparable; other threads may move them meanwhile."""
    import torch  # by who asks: a worker's start must not wait for it

    numpy: Any = np.random.get_state()
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), numpy[1].tobytes(), numpy[2]
