"""``[[guard]]``: what the parent could do elsewhere, and whoever wins must not lose."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from evoray.config.fitness import Constraint, parse_constraint
from evoray.runtime.reading import quoted, shown

EXAMPLE = 'write it as "top1 >= parent - 0.01", or where lower is better as "nll <= parent + 0.05"'
NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,59}$"
"""Of a guard: it stands in the journal's keys and in tables."""
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def parse_keep(text: str) -> Constraint:
    """``top1 >= parent - 0.01`` or ``nll <= parent + 0.05``; ValueError says why not."""
    try:
        found = parse_constraint(text)
    except ValueError as error:
        told = str(error)
        raise ValueError(told if "write it" not in told else f'"{text}": {EXAMPLE}') from None
    if not found.relative:
        raise ValueError(f'"{text}": a guard is kept against the parent; {EXAMPLE}')
    if found.bound and (found.bound > 0) == found.at_least:
        raise ValueError(f'"{text}": the parent itself would break it; {EXAMPLE}')
    return found


def spelled_out(values: Any) -> Any:
    """A guard's table with ``path`` inside ``data``, and a name made of the path where none is given."""
    if not isinstance(values, dict):
        return values
    values = dict(values)
    if "path" in values:
        if "data" in values:
            raise ValueError("give path, or data with a path in it, and not both")
        values["data"] = {"path": values.pop("path")}
    path = values["data"].get("path") if isinstance(values.get("data"), Mapping) else None
    if "name" not in values and isinstance(path, str):
        last = path.rstrip("/").rpartition("/")[2]
        values["name"] = _ODD.sub("-", last).strip("-.")[:60] or "guard"
    return values


def first_of(error: ValidationError) -> str:
    """What is wrong with a table inside a guard's."""
    wrong = error.errors()[0]
    key = shown(".".join(map(str, wrong["loc"])), 120)
    if wrong["type"] == "extra_forbidden":
        return f"unknown key {key}; `evoray explain guard` lists its keys"
    return f"{key} = {quoted(wrong['input'], 60)}: {shown(wrong['msg'].removeprefix('Value error, '))}"


def one_or_many(value: Any) -> Any:
    """``[guard]``, a single table, is one ``[[guard]]``."""
    return [value] if isinstance(value, Mapping) else value


def check_names(names: Iterable[str]) -> None:
    """ValueError where two guards have one name."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f'{count} guards are named "{name}": give each a name of its own')
