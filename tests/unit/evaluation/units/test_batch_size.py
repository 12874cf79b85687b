from __future__ import annotations

import pytest

from evoray.errors import BackendError
from evoray.evaluation.units.batch_size import choose


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({16: 2.0, 32: 1.5, 64: 1.0, 128: 1.2}, 64),
        ({16: 1.0, 32: 0.99, 64: 0.98}, 16),
        ({16: 1.0, 32: 0.99, 64: 0.9}, 64),
        ({256: 1.0}, 256),
    ],
)
def test_the_smallest_of_those_about_as_fast(seconds, chosen):
    assert choose(seconds) == chosen


def test_no_size_that_runs_is_an_error():
    with pytest.raises(BackendError, match="smaller"):
        choose({})
