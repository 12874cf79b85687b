from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipes import U64

from evoray.errors import LineageError
from evoray.mutation import words16, words32


@given(U64, st.integers(0, 3), st.integers(0, 70), st.integers(0, 70))
def test_a_stream_read_from_any_word_is_the_same_stream(seed: int, stream: int, start: int, count: int) -> None:
    for words in (words16, words32):
        whole = words(seed, stream, start + count)
        assert np.array_equal(words(seed, stream, count, start), whole[start:])


def test_words_are_cut_low_end_first() -> None:
    raw = np.random.Philox(key=np.array([3, 1], dtype=np.uint64)).random_raw(1)[0]
    assert words32(3, 1, 2).tolist() == [int(raw) & 0xFFFFFFFF, int(raw) >> 32]
    assert words16(3, 1, 4).tolist() == [int(raw) >> shift & 0xFFFF for shift in (0, 16, 32, 48)]


def test_streams_of_one_seed_differ() -> None:
    assert not np.array_equal(words32(5, 1, 8), words32(5, 2, 8))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_outside_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(LineageError, match=str(seed)):
        words32(seed, 1, 4)
