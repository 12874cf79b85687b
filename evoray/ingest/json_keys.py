"""JSON of a stranger's in which no object has a key twice: Python keeps the last of them, without a word."""

import json
import re
from typing import Any

from evoray.errors import DataError
from evoray.runtime.reading import parse_json, shown

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:\n]')


def parse_unique(content: bytes | str, origin: str) -> Any:
    """As ``parse_json`` reads it.

    Raises:
        DataError: a key that stands twice in one object, with its lines; or no JSON.
    """
    twice = False

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        found = dict(pairs)
        twice = twice or len(found) < len(pairs)
        return found

    document = parse_json(content, origin, pairs=unique)
    if twice:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        key, first, again = repeated(text)
        lines = f", line {again}" if again > 1 else ""
        before = f", first in line {first}" if again > first else ""
        raise DataError(
            f"{shown(origin)}{lines}: the key {shown(key, 80)} stands twice in one object{before}. Leave one out."
        )
    return document


def repeated(text: str) -> tuple[str, int, int]:
    """The first key that an object of valid JSON has twice, and the lines of both; empty where there is none."""
    open_: list[dict[str, int]] = [{}]
    line, word = 1, ""
    for token in (found.group() for found in _TOKEN.finditer(text)):
        if token == "\n":
            line += 1
        elif token in "{[":
            open_.append({})
        elif token in "}]":
            open_.pop()
        elif token == ":":
            key = json.loads(word)
            if key in open_[-1]:
                return key, open_[-1][key], line
            open_[-1][key] = line
        else:
            word = token
    return "", 0, 0
