"""Numbers drawn by address: part of every recorded run, so they never change."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from evoray.runtime.seeds import Stream, derive_seed, generator, generators


def test_derived_seeds_are_addressed_and_distinct() -> None:
    seeds = {derive_seed(0, 1, generation, child) for generation in range(20) for child in range(50)}
    assert len(seeds) == 1000
    assert derive_seed(0, 1, 2) == derive_seed(0, 1, 2) != derive_seed(1, 1, 2)
    assert all(0 <= seed < 2**64 for seed in seeds)


@pytest.mark.parametrize(
    ("stream", "number", "seed", "permutation"),
    [
        (Stream.MASKS, 1, 10549271650533257363, [0, 1, 4, 3, 2, 5]),
        (Stream.NOISE, 2, 12648177719017054781, [0, 2, 1, 5, 3, 4]),
        (Stream.SPLITS, 3, 7497344561439099852, [0, 2, 1, 4, 3, 5]),
        (Stream.CMA_ES, 4, 12699700241433379057, [3, 1, 4, 5, 2, 0]),
        (Stream.SUBSETS, 5, 9599873736394548192, [2, 3, 4, 0, 5, 1]),
        (Stream.WINDOW, 6, 17683687407438392189, [0, 3, 5, 1, 4, 2]),
        (Stream.AUTO_SIGMA, 7, 15145926298321887030, [2, 3, 4, 1, 5, 0]),
        (Stream.TEST_SAMPLE, 11, 8519537811700431726, [4, 0, 1, 5, 2, 3]),
        (Stream.SMALL_PARENT_IMAGES, 11, 8519537811700431726, [4, 0, 1, 5, 2, 3]),
    ],
)
def test_recorded_runs_are_drawn_again(stream: Stream, number: int, seed: int, permutation: list[int]) -> None:
    assert stream == number
    assert derive_seed(7, stream, 2) == seed
    assert generator(7, stream, 2).permutation(6).tolist() == permutation


def test_streams_of_one_seed_differ() -> None:
    assert len({derive_seed(3, stream) for stream in Stream}) == len(Stream) == 10


def test_the_key_is_numpys_own() -> None:
    key = np.random.SeedSequence(5, spawn_key=(3, 1))
    expected = np.random.Generator(np.random.Philox(key)).permutation(100)
    assert np.array_equal(generator(5, Stream.SPLITS, 1).permutation(100), expected)


@pytest.mark.parametrize("draw", [lambda: torch.rand(1), random.random, np.random.rand, lambda: np.random.bytes(1)])
def test_a_draw_moves_them_and_nothing_else_does(draw):
    before = generators()
    assert generators() == before
    draw()
    assert generators() != before
