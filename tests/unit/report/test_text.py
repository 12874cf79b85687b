from __future__ import annotations

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
