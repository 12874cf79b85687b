from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipes import PARTS, U64

from evoray.errors import LineageError
from evoray.mutation import mask_count, mask_indices, words32
from evoray.mutation import masks as module

SIZES = st.integers(0, 3000)


@given(SIZES, U64, st.integers(1, 40))
def test_the_masks_of_one_seed_are_disjoint_and_cover_everything(n: int, seed: int, parts: int) -> None:
    together = np.concatenate([mask_indices(n, seed, parts, part) for part in range(parts)])
    assert np.array_equal(np.sort(together), np.arange(n))


@given(SIZES, U64, PARTS, st.data())
def test_indices_are_sorted_in_range_and_counted(n: int, seed: int, parts: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, parts - 1))
    indices = mask_indices(n, seed, parts, part)
    assert indices.dtype == np.int64
    assert (np.diff(indices) > 0).all()
    assert len(indices) == 0 or (indices[0] >= 0 and indices[-1] < n)
    assert mask_count(n, seed, parts, part) == len(indices)


@pytest.mark.parametrize("parts", [2, 3, 1000, 2**32])
def test_blocks_do_not_show(parts: int) -> None:
    n = min(parts * 70_000 - 1, 300_000 * min(parts, 3))
    strata = -(-n // parts)
    words = [int(word) for word in words32(9, 1, strata)]
    expected = [i * parts + ((word * parts >> 32) + parts - 1) % parts for i, word in enumerate(words)]
    found = mask_indices(n, 9, parts, parts - 1).tolist()
    assert found == [index for index in expected if index < n]


def test_a_dense_mask_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module, "words32")
    assert mask_indices(5, 0, 1, 0).tolist() == [0, 1, 2, 3, 4]
    assert mask_count(5, 0, 1, 0) == 5


@pytest.mark.parametrize(("n", "parts", "part"), [(-1, 2, 0), (5, 0, 0), (5, 2**32 + 1, 0), (5, 3, 3), (5, 3, -1)])
def test_a_mask_that_does_not_exist_is_refused(n: int, parts: int, part: int) -> None:
    for function in (mask_indices, mask_count):
        with pytest.raises(LineageError, match=f"n = {n}, parts = {parts}, part = {part}"):
            function(n, 0, parts, part)
