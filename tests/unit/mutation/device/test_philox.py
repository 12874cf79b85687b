"""torch's words against NumPy's own Philox: any seed, any stream, from any word on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from recipes import U64

from evoray.errors import LineageError
from evoray.mutation import words16, words32
from evoray.mutation.device import draw as philox

CPU = torch.device("cpu")
# the first words, counters around the carry out of 32 bits, and the last ones that an int64 counts
STARTS = st.one_of(
    st.integers(0, 70), st.integers(2**35 - 40, 2**35 + 40), st.integers(2**36 - 40, 2**36 + 40), st.integers(0, 2**62)
)


@given(U64, st.integers(0, 3), st.integers(0, 70), STARTS)
@example(2**64 - 1, 2, 33, 2**62)
@example(2**63, 1, 64, 2**35 - 9)
def test_words_are_those_of_numpy(seed: int, stream: int, count: int, start: int) -> None:
    for mine, theirs in ((philox.words32, words32), (philox.words16, words16)):
        found = mine(seed, stream, count, start, CPU)
        assert found.dtype == torch.int64
        assert np.array_equal(found.numpy(), theirs(seed, stream, count, start).astype(np.int64))


@given(U64, U64, st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5))
def test_outputs_are_numpys_whatever_key_and_counter(seed: int, stream: int, counters: list[int]) -> None:
    found = philox.philox(torch.tensor(counters), seed, stream).numpy().view(np.uint64)
    key = np.array([seed, stream], dtype=np.uint64)
    for row, counter in zip(found, counters, strict=True):
        before = (counter - 1) % 2**256  # NumPy adds one before it draws
        assert np.array_equal(row, np.random.Philox(key=key, counter=before).random_raw(4))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
@example(2**64 - 1, 2**64 - 1)
@example(2**63, 2**63)
@example(2**32 - 1, 2**64 - 1)
def test_a_product_of_64_bits_has_128(a: int, b: int) -> None:
    high, low = philox._product(torch.tensor([philox._signed(a)]), b)
    assert (int(high) % 2**64, int(low) % 2**64) == divmod(a * b, 2**64)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_outside_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(LineageError, match=str(seed)):
        philox.words16(seed, 1, 4, 0, CPU)
