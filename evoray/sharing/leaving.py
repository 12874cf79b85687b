"""A member's recipe as it leaves this machine: the parent is called by the last part of its path."""

from __future__ import annotations

import json
from dataclasses import replace

from evoray.models.transformers.places import named
from evoray.mutation.document import with_parent_name
from evoray.results.export import Member


def leaving(member: Member) -> Member:
    """The member with a recipe that names no place; byte for byte the run's own where that names none already."""
    document = json.loads(member.recipe)
    name = document["parent"].get("name")
    if not isinstance(name, str) or named(name) == name:
        return member
    return replace(member, recipe=(json.dumps(with_parent_name(document, named(name)), indent=1) + "\n").encode())
