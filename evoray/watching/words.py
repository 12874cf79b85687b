"""What stages are called where a run is watched, and times in words. Imports nothing heavy."""

TITLES = {
    "auto": "sigma",
    "window": "window",
    "ensemble/candidates": "ensemble",
    "soup/recalibrate": "BatchNorm",
    "panel/select": "final, select",
    "panel/test": "final, test",
    "sample/test": "children on test",
}
"""Of a stage by the part of the run that it is; others are called by what stands before the first slash."""
UNITS = {"child": "children", "window": "children", "auto": "children", "sample/test": "children"}
"""What its items are, by the part; others are networks."""


def about(seconds: float) -> str:
    """``40 s``, ``3 min``, ``2 h 10 min``, ``3 days``"""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 2 * 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes / (24 * 60):.0f} days"


def rounded(value: float) -> str:
    """``1,204``, ``3.2``, ``0.034``"""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"
