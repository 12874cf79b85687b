"""Numbers as people read them. What is not defined (None) is an en dash, never a zero."""

import math

NOTHING = "–"


def count(value: float | None) -> str:
    """``4,200``"""
    return NOTHING if value is None else f"{value:,.0f}"


def plain(value: float | None) -> str:
    """Three significant digits: ``0.1``, ``0.0333``."""
    return NOTHING if value is None else _minus(f"{value:.3g}")


def nats(value: float | None) -> str:
    """``0.2416``"""
    return NOTHING if value is None else _minus(f"{value:.4f}")


def percent(value: float | None) -> str:
    """A fraction as ``96.43%``."""
    return NOTHING if value is None else f"{100 * value:.2f}%"


def signed(value: float | None, decimals: int) -> str:
    """``+0.45``, ``−0.45``, and ``0.00`` without a sign."""
    if value is None:
        return NOTHING
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else _minus(text)


def decimals_for(width: float | None, least: int) -> int:
    """Decimals that show an interval of this width with two significant digits; at least ``least``, at most 9."""
    if width is None or not math.isfinite(width) or width <= 0:
        return least
    return min(max(1 - math.floor(math.log10(width)), least), 9)


def p_value(value: float | None) -> str:
    """``0.031``, ``< 0.0001``"""
    if value is None:
        return NOTHING
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def duration(seconds: float | None) -> str:
    """``12.3 s``, ``4 min 05 s``, ``2 h 07 min``"""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(octets: float | None) -> str:
    """``812 B``, ``1.5 MB`` (powers of ten)"""
    if octets is None:
        return NOTHING
    for unit in ("B", "kB", "MB", "GB"):
        if octets < 1000:
            return f"{octets:.0f} {unit}" if unit == "B" else f"{octets:.1f} {unit}"
        octets /= 1000
    return f"{octets:.1f} TB"


def _minus(text: str) -> str:
    return text.replace("-", "−")
