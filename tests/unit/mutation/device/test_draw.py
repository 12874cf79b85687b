"""Masks and noise by torch against those of NumPy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from recipes import PARTS, U64

from evoray.mutation import mask_indices, words16
from evoray.mutation.device.draw import noise, positions, quantile_table
from evoray.mutation.device.strata import Strata
from evoray.mutation.streams import NOISE
from evoray.mutation.table import normal

CPU = torch.device("cpu")


def strata(parts: int, part: int = 0, seed: int = 1, length: int = 2**40) -> Strata:
    return Strata(seed, parts, part, seed, 0.1, 1, 0, length)


@given(U64, PARTS, st.data())
@example(2**64 - 1, 2**32, None)
def test_masks_are_those_of_numpy(seed: int, parts: int, data: st.DataObject | None) -> None:
    part = data.draw(st.integers(0, parts - 1)) if data else parts - 1
    first = data.draw(st.integers(0, 2**60 // parts)) if data else 2**28
    count = data.draw(st.integers(0, 60)) if data else 20
    found = positions(strata(parts, part, seed), first, count, CPU)
    expected = mask_indices((first + count) * parts, seed, parts, part, first, count)
    assert np.array_equal(found.numpy(), expected)


@given(U64, st.integers(0, 2**40), st.integers(0, 60))
def test_noise_is_that_of_numpy(seed: int, first: int, count: int) -> None:
    found = noise(strata(3, seed=seed), first, count, quantile_table(CPU)).numpy()
    assert found.dtype == np.float32
    assert np.array_equal(found.view(np.uint32), normal(words16(seed, NOISE, count, first)).view(np.uint32))


@pytest.mark.parametrize("parts", [1, 2, 3, 2**32])
def test_long_masks(parts: int) -> None:
    found = positions(strata(parts, parts - 1, 9), 5, 70_000, CPU)
    assert np.array_equal(found.numpy(), mask_indices(70_005 * parts, 9, parts, parts - 1, 5))
