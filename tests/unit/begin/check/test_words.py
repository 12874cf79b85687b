from __future__ import annotations

import pytest

from evoray.begin.check.words import duration, one_of, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0123, "12 ms"),
        (0.0004, "0.4 ms"),
        (0.25, "250 ms"),
        (1.5, "1.5 s"),
        (34.4, "34 s"),
        (130, "2.2 min"),
        (5400, "90 min"),
        (9000, "2.5 h"),
        (3e5, "3.5 days"),
    ],
)
def test_durations_have_a_fitting_unit(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(2**30, "1.0 GiB"), (21 * 2**20, "21 MiB"), (2**18, "0.2 MiB")])
def test_sizes_have_a_fitting_unit(count, words):
    assert size(count) == words


def test_one_of_what_is_counted():
    assert [one_of(what) for what in ("images", "records")] == ["an image", "a record"]
