from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.report import text


def test_undefined_is_a_dash_and_never_zero() -> None:
    shown = [text.count, text.nats, text.percent, text.plain, text.p_value, text.duration, text.size]
    assert {show(None) for show in shown} == {"–"}
    assert text.signed(None, 2) == "–"


def test_signs() -> None:
    assert text.signed(0.4512, 2) == "+0.45"
    assert text.signed(-0.4512, 2) == "−0.45"
    assert text.signed(-0.001, 2) == "0.00"


def test_narrow_intervals_get_the_decimals_they_need() -> None:
    assert text.decimals_for(0.02, 4) == 4
    assert text.decimals_for(0.000034, 4) == 6
    assert text.decimals_for(0.0, 4) == 4


def test_units() -> None:
    assert text.p_value(3e-9) == "< 0.0001"
    assert text.percent(0.9643) == "96.43%"
    assert text.duration(59.94) == "59.9 s"
    assert text.duration(3660) == "1 h 01 min"
    assert text.size(1_534_221) == "1.5 MB"


@pytest.mark.parametrize(
    ("show", "value", "expected"),
    [
        (text.count, 0, "0"),
        (text.count, 1_234_567, "1,234,567"),
        (text.plain, 1 / 30, "0.0333"),
        (text.plain, -0.5, "−0.5"),
        (text.nats, 0.24156, "0.2416"),
        (text.nats, -0.1, "−0.1000"),
        (text.percent, 0.0, "0.00%"),
        (text.percent, 1.0, "100.00%"),
        (text.p_value, 0.0001, "0.0001"),
        (text.p_value, 0.0312, "0.031"),
        (text.p_value, 0.5, "0.50"),
        (text.p_value, 1.0, "1.00"),
        (text.p_value, 0.0, "< 0.0001"),
        (text.duration, 0, "0.0 s"),
        (text.duration, 245, "4 min 05 s"),
        (text.duration, 3599.4, "59 min 59 s"),
        (text.duration, 3599.6, "1 h 00 min"),
        (text.duration, 7620, "2 h 07 min"),
        (text.size, 0, "0 B"),
        (text.size, 812, "812 B"),
        (text.size, 1000, "1.0 kB"),
        (text.size, 2.5e9, "2.5 GB"),
        (text.size, 3e15, "3000.0 TB"),
    ],
)
def test_numbers_as_people_read_them(show, value, expected) -> None:
    assert show(value) == expected


@given(st.floats(-1e6, 1e6), st.integers(0, 9))
def test_a_signed_number_reads_back(value, decimals) -> None:
    shown = text.signed(value, decimals)
    assert "-" not in shown and abs(float(shown.replace("−", "-")) - value) <= 0.5000001 * 10**-decimals + 1e-9
    assert (shown[0] in "+−") == (float(shown.replace("−", "-")) != 0)


@given(st.floats(1e-12, 1e3))
def test_an_interval_shows_two_digits_of_its_width_within_bounds(width) -> None:
    decimals = text.decimals_for(width, 2)
    assert 2 <= decimals <= 9
    if 2 < decimals < 9:
        assert 10 <= width * 10**decimals < 100.0001


@pytest.mark.parametrize("width", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_width_that_is_none_asks_for_the_least(width) -> None:
    assert text.decimals_for(width, 3) == 3
