"""``report.html`` while a run goes on: what there is so far, in the look of the finished page."""

import hashlib
import time
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from evoray.report import grids, page, text
from evoray.report.grids import Grid
from evoray.watching.picture import rounds_picture
from evoray.watching.view import View, best_line, headline, learned_line, section, stage_line, workers_line
from evoray.watching.words import about

RELOAD_S = 10
"""After so many seconds a browser asks for the page again, as long as the run goes on."""
SCRIPT = f"""setInterval(() => {{
  if (document.activeElement === document.body && getSelection().isCollapsed) location.reload();
}}, {1000 * RELOAD_S});"""
"""A refresh by a header would take the keyboard's place on the page away, and what is marked, each time."""
DIGEST = "sha256-" + b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""The one script that the page's policy lets run."""


def growing_page(view: View) -> str:
    """The whole page of a run that is not finished."""
    return _template("growing.html.j2").render(**_values(view))


def fragment(view: View) -> str:
    """The same without what makes it a page, for a notebook."""
    return _template("fragment.html.j2").render(**_values(view))


def _values(view: View) -> dict[str, Any]:
    drawn = rounds_picture(view.rounds, view.parent, view.measure)
    return {
        "run_id": view.run_id,
        "view": view,
        "reload": RELOAD_S if view.state == "running" else 0,
        "script": Markup(SCRIPT),
        "digest": DIGEST,
        "headline": headline(view),
        "as_of": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(view.live.get("written") or view.seen_at)),
        "parent": page.parent_name(view.config),
        "data": section(view.config, "data").get("path", text.NOTHING),
        "fitness": view.measure.described,
        "facts": _facts(view),
        "picture": Markup(drawn) if drawn else None,
        "tables": [grid for grid in (top_grid(view), blocks_grid(view)) if grid],
        "notes": view.live.get("notes", ()),
        "settings": grids.settings(view.config),
    }


def _facts(view: View) -> list[tuple[str, str]]:
    """What a card shows: its title, and a few words."""
    done, asked = view.generations
    children, left = view.done_children, view.search_left_s
    found = [
        ("Best so far, on select", best_line(view)),
        ("Now", stage_line(view)),
        ("Generations", f"{done}{f' of {asked}' if asked else ''}{f', {about(left)} left' if left else ''}"),
        ("Children", f"{text.count(children)} of {text.count(view.asked_children)}"),
        ("Workers", workers_line(view)),
        ("Learned", learned_line(view)),
    ]
    return [(title, said) for title, said in found if said]


def top_grid(view: View) -> Grid | None:
    """The fittest so far, against the parent."""
    if not view.top:
        return None
    measure, parent = view.measure, view.parent
    places = 2 if measure.is_fraction else 4
    rows = tuple(
        (
            str(place),
            name,
            measure.show(value),
            text.NOTHING if parent is None else text.signed((value - parent) * measure.factor, places),
        )
        for place, (name, value) in enumerate(view.top, start=1)
    )
    note = f"{measure.described} on the images that choose: the best of many looks better than it is."
    return Grid("Fittest so far", ("Rank", "Network", measure.short, "Against the parent"), rows, note, words=2)


def blocks_grid(view: View) -> Grid | None:
    """What each block of the weights was given, and its best child."""
    rows = tuple(
        (str(one["block"] + 1), text.count(one["children"]), view.measure.show(one.get("best")))
        for one in view.live.get("blocks", ())
    )
    return Grid("Blocks of the weights", ("Block", "Children", f"Best {view.measure.short}"), rows) if rows else None


@cache
def _environment() -> jinja2.Environment:
    return page.environment(Path(__file__).parent)


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)
