from __future__ import annotations

import numpy as np
import pytest

from evoray.mutation.table import normal, quantiles


def test_table_is_shared_and_cannot_be_written() -> None:
    assert quantiles() is quantiles()
    with pytest.raises(ValueError, match="read-only"):
        quantiles()[0] = 0


def test_table_is_odd_increasing_and_of_unit_variance() -> None:
    table = quantiles()
    assert np.array_equal(table, -table[::-1])
    assert (np.diff(table) > 0).all()
    assert np.mean(np.square(table.astype(np.float64))) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("count", [0, 1, 65535, 65536, 65537, 200_000])
def test_blocks_do_not_show(count: int) -> None:
    words = np.arange(count, dtype=np.uint32).astype(np.uint16)
    assert np.array_equal(normal(words), quantiles()[words])
