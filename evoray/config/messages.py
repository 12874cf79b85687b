"""Wrong keys of a configuration, each as one plain sentence: the key, its value, what it takes, what may be meant.

pydantic says what is wrong with every branch of a union, in words of its own; here all it says of one key becomes one
message, made of the key's own schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from pydantic import BaseModel

from evoray.config.allowed import Keys, Schema, alternatives, as_toml, nearest
from evoray.runtime.reading import shown

LONG = {"string_too_long": "characters", "too_long": "entries"}
Path = tuple[str | int, ...]
Kinds = Callable[[str, Any], Mapping[str, type[BaseModel]]]
"""(section, its values) -> the sections that may stand there, each by what chooses it, the chosen one first; empty for
a section that has but one."""


class Explainer:
    """Says what is wrong with the values of one model.

    Args:
        kinds: for sections whose keys depend on a key of theirs.
    """

    def __init__(self, model: type[BaseModel], values: Any, kinds: Kinds) -> None:
        self._keys, self._values, self._kinds = Keys(model), values, kinds

    def lines(self, errors: Iterable[Mapping[str, Any]], most: int) -> tuple[list[str], int]:
        """One sentence a key, in the order in which pydantic names them, and how many keys are left beyond ``most``."""
        of: dict[Path, list[tuple[Path, Mapping[str, Any]]]] = {}
        for error in errors:
            path = self._path(error)
            of.setdefault(_key_of(path), []).append((path, error))
        return [self._line(key, found) for key, found in islice(of.items(), most)], max(0, len(of) - most)

    def _line(self, key: Path, found: list[tuple[Path, Mapping[str, Any]]]) -> str:
        name = shown(".".join(map(str, key)), 120)
        for _, error in found:
            if error["type"] == "extra_forbidden":
                return self._unknown(key, name)
            if error["type"] == "missing":
                return f"{name} is missing: {self._expected(key)}"
            if error["type"] == "value_error":
                message = shown(error["msg"].removeprefix("Value error, "))
                value = "" if isinstance(error["input"], dict | BaseModel) else f" = {self._value(key, error)}"
                return f"{name or 'the run'}{value}: {message}"
        if isinstance(self._at(key), Mapping):
            return f"[{name}] is no section, but a key: {self._expected(key)}, as {shown(str(key[-1]), 80)} = …"
        return f"{name} = {self._value(key, found[0][1])}: {self._expected(key)}{self._hint(key, found)}"

    def _path(self, error: Mapping[str, Any]) -> Path:
        """Where the value stands: pydantic's own place without the names of a union's branches."""
        keys, node = self._keys, self._keys.root
        path: list[str | int] = []
        for part in error["loc"]:
            below = keys.below(node, part)
            if below is not None:
                keys, node = self._variant(keys, below, (*path, part))
                path.append(part)
            elif part == error["loc"][-1] and error["type"] == "extra_forbidden":
                path.append(part)
        return tuple(path)

    def _variant(self, keys: Keys, node: Schema, path: Path) -> tuple[Keys, Schema]:
        """The same, or the schema of the section that the file's values choose."""
        kinds = self._kinds(str(path[0]), self._at(path)) if len(path) == 1 else {}
        for model in kinds.values():
            chosen = Keys(model)
            return chosen, chosen.root
        return keys, node

    def _node(self, path: Path) -> tuple[Keys, Schema]:
        keys, node = self._keys, self._keys.root
        for depth, part in enumerate(path, 1):
            keys, node = self._variant(keys, keys.below(node, part) or {}, path[:depth])
        return keys, node

    def _at(self, path: Path) -> Any:
        value = self._values
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def _value(self, key: Path, error: Mapping[str, Any]) -> str:
        value = self._at(key)
        return shown(as_toml(error["input"] if value is None else value), 120)

    def _expected(self, key: Path) -> str:
        keys, node = self._node(key)
        words = keys.words(node)
        if words == "a table":
            section = shown(".".join(map(str, key)), 120)
            return f"it is a section: write [{section}], and its keys below that{self._such_as(key, keys, node)}"
        return f"give {words}"

    def _such_as(self, key: Path, keys: Keys, node: Schema) -> str:
        """The key of a section that a text was perhaps meant for: the first that takes any, or names a kind."""
        value = self._at(key)
        for name, below in keys.names(node).items():
            (first, *others) = keys.branches(below)
            fits = first.get("type") == "string" and "enum" not in first and not others
            if isinstance(value, str) and fits:
                return f", such as {name} = {shown(as_toml(value), 120)}"
        return ""

    def _hint(self, key: Path, found: list[tuple[Path, Mapping[str, Any]]]) -> str:
        """What is wrong with an entry or a length, how one value becomes a list, or the nearest word."""
        keys, node = self._node(key)
        value = self._at(key)
        for path, error in found:
            if error["type"] in LONG:
                return f", at most {error['ctx']['max_length']:,} {LONG[error['type']]}"
            if len(path) > len(key):
                place = ", ".join(str(int(part) + 1) for part in path[len(key) :])
                return f" (entry {place} is {shown(as_toml(error['input']), 60)})"
        if keys.takes_list_of(node, value):
            return f", such as [{shown(as_toml(value), 60)}]"
        words = [one for branch in keys.branches(node) for one in branch.get("enum", [branch.get("const")])]
        word = nearest(value, [word for word in words if isinstance(word, str)])
        return f': did you mean "{word}"?' if word else ""

    def _unknown(self, key: Path, name: str) -> str:
        is_table = isinstance(self._at(key), Mapping)
        what = f"section [{name}]" if is_table else f"key {name} = {shown(as_toml(self._at(key)), 120)}"
        hint = self._elsewhere(key) or self._near(key)
        return f"unknown {what}{f': {hint}' if hint else ' (`evoray explain` lists every key)'}"

    def _elsewhere(self, key: Path) -> str:
        """Where a key of exactly that name, or of that dotted name, does stand."""
        last, within, places = str(key[-1]), ".".join(map(str, key[:-1])), self._places()
        if "." in last and last in places:
            section, _, field = last.rpartition(".")
            return f"write it without quotes, or {field} in [{section}]"
        kinds = self._kinds(within, self._at(key[:-1]))
        if goes := [choice for choice, model in kinds.items() if last in model.model_fields]:
            return f"{last} goes with {alternatives(goes)}"
        found = (place.rpartition(".") for place in places)
        sections = dict.fromkeys(section for section, _, field in found if field == last and section != within)
        if "" in sections:
            return f"{last} stands at the top of the file, before any section"
        return f"{last} stands in {alternatives([f'[{section}]' for section in sections])}" if sections else ""

    def _near(self, key: Path) -> str:
        """The nearest name of the same table, else of any."""
        keys, node = self._node(key[:-1])
        within = "".join(f"{part}." for part in key[:-1])
        here = {name: f"{within}{name}" for name in keys.names(node)}
        anywhere = {place.rpartition(".")[2]: place for place in reversed(self._places())}
        if name := nearest(key[-1], here):
            section = len(key) == 1 and isinstance(self._at(key), Mapping)
            return f"did you mean {f'[{name}]' if section else here[name]}?"
        name = nearest(key[-1], anywhere, cutoff=0.75)
        return f"did you mean {anywhere[name]}?" if name else ""

    def _places(self) -> list[str]:
        """Every dotted key of the first two levels."""
        found = []
        for name, node in self._keys.names(self._keys.root).items():
            tables = [Keys(model) for model in self._kinds(name, self._at((name,))).values()]
            below = {key: None for keys in tables for key in keys.names(keys.root)} or self._keys.names(node)
            found += [f"{name}.{key}" for key in below] or [name]
        return found


def _key_of(path: Path) -> Path:
    """A place without the entries of a list at its end."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path
