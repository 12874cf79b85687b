from __future__ import annotations

import itertools
import re

import pytest

from evoray.report.look.palette import DARK, LIGHT, THEMES, of_page, of_part


def luminance(colour):
    """Relative, of #rrggbb (WCAG 2.1)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["back", "paper"])
@pytest.mark.parametrize(
    ("name", "least"),
    [("ink", 7), *((one, 4.5) for one in ("grey", "mean", "parent", "best", "good", "bad")), ("edge", 3)],
)
def test_what_is_read_stands_out(colours, ground, name, least):
    assert contrast(colours[name], colours[ground]) >= least


def test_both_have_every_name_and_no_colour_twice():
    assert LIGHT.keys() == DARK.keys()
    drawn = [LIGHT[name] for name in ("ink", "mean", "line", "parent", "best", "good", "bad", "paper")]
    assert all(one != other for one, other in itertools.combinations(drawn, 2)), "figures name colours by their value"


def test_a_page_follows_the_system_on_a_screen_alone():
    light, dark = of_page().split("@media screen and (prefers-color-scheme: dark)")
    assert light.startswith(":root { color-scheme: light dark; ") and f"--ink: {LIGHT['ink']};" in light
    assert (
        f"--ink: {DARK['ink']};" in dark and light.count("{") == light.count("}") and dark.count("{") == dark.count("}")
    )


def test_a_part_follows_the_notebook_and_touches_nothing_else():
    selectors = re.findall(r"^(.*?) \{", of_part(".mine"), re.MULTILINE)
    assert selectors == [".mine", f"{THEMES} .mine"]
