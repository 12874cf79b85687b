"""What a key of the configuration takes, in words, from the JSON schema of its section."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

from evoray.runtime.reading import quoted

Schema = Mapping[str, Any]
ITEMS = 20
"""Of a list, in a message."""


class Keys:
    """The keys that a pydantic model takes, level by level.

    A node is a JSON schema: ``root`` that of the model itself, and so on down to one value's.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self.root = _schema_of(model)

    def branches(self, node: Schema) -> Iterator[Schema]:
        """The kinds of value that a node takes, each without references; null, which no file can write, left out."""
        if "$ref" in node:
            yield from self.branches(self.root["$defs"][node["$ref"].rpartition("/")[2]])
        elif "anyOf" in node:
            for one in node["anyOf"]:
                yield from self.branches(one)
        elif node.get("type") != "null":
            yield node

    def names(self, node: Schema) -> dict[str, Schema]:
        """Keys of a table -> what each takes."""
        return {key: one for branch in self.branches(node) for key, one in branch.get("properties", {}).items()}

    def below(self, node: Schema, part: str | int) -> Schema | None:
        """What stands under a key of a table, or is an entry of a list; None where the node has neither."""
        for branch in self.branches(node):
            entry = branch.get("properties", {}).get(part, branch.get("additionalProperties"))
            found = branch.get("items") if isinstance(part, int) else entry
            if isinstance(found, Mapping):
                return found
        return None

    def words(self, node: Schema) -> str:
        """``a whole number from 1 to 10,000, or "auto"``."""
        branches = list(self.branches(node))
        constants = [f'"{value}"' for branch in branches for value in _constants(branch)]
        others = [self._kind(branch) for branch in branches if not _constants(branch)]
        return alternatives([*others, *constants])

    def takes_list_of(self, node: Schema, value: Any) -> bool:
        """Whether a list is expected where this value, an entry of it, was given alone."""
        kinds = {str: "string", int: "integer", float: "number"}
        lists = [branch["items"] for branch in self.branches(node) if isinstance(branch.get("items"), Mapping)]
        wanted = {branch.get("type") for one in lists for branch in self.branches(one)}
        wanted |= {"integer"} if "number" in wanted else set()
        return kinds.get(type(value)) in wanted and (isinstance(value, str) or value >= 0)

    def _kind(self, branch: Schema, several: bool = False) -> str:
        kind = branch.get("type")
        if kind in ("integer", "number"):
            what = "whole number" if kind == "integer" else "number"
            return f"{what}s{_range(branch)}" if several else f"a {what}{_range(branch)}"
        if kind == "string":
            return f"text{'s' if several else ''}" if several else f"a text{_length(branch)}"
        if kind == "array":
            entries = branch.get("items", {})
            of = " or ".join(self._kind(one, several=True) for one in self.branches(entries)) or "values"
            return f"lists of {of}" if several else f"a list of {of}{_count(branch)}"
        words = {"boolean": ("true or false", "switches"), "object": ("a table", "tables")}
        return words.get(str(kind), ("another value", "other values"))[several]


@lru_cache(maxsize=64)
def _schema_of(model: type[BaseModel]) -> Schema:
    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema:  # a user's section, with types that no file holds
        return {"type": "object", "properties": {name: {} for name in model.model_fields}}


def alternatives(words: Sequence[str]) -> str:
    """``a, b or c``; a comma stands before the last one where what is before it is no plain word."""
    if len(words) < 2:
        return "".join(words)
    plain = all(word.startswith(('"', "[")) for word in words)
    return f"{', '.join(words[:-1])}{' or' if plain else ', or'} {words[-1]}"


def nearest(word: Any, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name that is meant by a misspelt one; case, ``-`` and ``_`` make no difference."""
    names = {name.lower().replace("-", "_"): name for name in known}
    if not isinstance(word, str) or len(word) > 100:
        return None
    near = get_close_matches(word.lower().replace("-", "_"), names, 1, cutoff)
    return names[near[0]] if near else None


def did_you_mean(word: Any, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of a message about a misspelt name, with a blank before it: `` Did you mean "soup"?``; else empty."""
    name = nearest(word, known, cutoff)
    return f' Did you mean "{name}"?' if name else ""


def as_toml(value: Any) -> str:
    """A value as a configuration writes it, as far as a line has room for it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple) and not any(isinstance(one, list | tuple | dict) for one in value):
        more = [f"… {len(value) - ITEMS:,} more"] if len(value) > ITEMS else []
        return f"[{', '.join([*map(as_toml, value[:ITEMS]), *more])}]"
    return quoted(value)


def _constants(branch: Schema) -> list[Any]:
    return list(branch.get("enum", [branch["const"]] if "const" in branch else []))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) or not value.is_integer() else f"{int(value):,}"


def _range(branch: Schema) -> str:
    """``from 1 to 10``, ``above 0 and at most 1``, ``of at least 2``; whole numbers have no open ends."""
    low, high = branch.get("minimum"), branch.get("maximum")
    above, below = branch.get("exclusiveMinimum"), branch.get("exclusiveMaximum")
    if branch.get("type") == "integer":
        low = low if above is None else above + 1
        high = high if below is None else below - 1
        above = below = None
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}"
    ends = (("of at least", low), ("above", above), ("at most", high), ("below", below))
    given = [f"{words} {_number(end)}" for words, end in ends if end is not None]
    return f" {' and '.join(given)}" if given else ""


def _length(branch: Schema) -> str:
    """The limit of every text is told only where it is broken, by ``messages``."""
    return " that is not empty" if branch.get("minLength") == 1 else ""


def _count(branch: Schema) -> str:
    least = branch.get("minItems", 0)
    return f" (at least {least:,})" if least else ""
