"""Settings that lie in a network's folder, without the places on this machine that they name."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

HUB_NAME = re.compile(r"(hf[-_]hub:)?\w[\w.-]*(/[\w.-]*\w)?")
"""A name on the Hub, or one without a folder: of an architecture, a function, a file. It stays."""
PLACE = re.compile(r"(/|~|\.{1,2}[/\\]|\\\\|[A-Za-z]:[\\/]|file:)[^\0\n]+")
"""How a path begins that holds on one machine alone."""
KEYS = re.compile(r"(path|file|dir|folder|checkpoint)$")
"""Of settings that are places; others may be names of classes, or tokens."""
PATH_MAX = 4096
SETTINGS_BYTES = 2**20
"""Of a JSON file that may be settings; tokenizers' tables are larger, and name no places."""
TABLES = {"tokenizer.json", "vocab.json", "added_tokens.json", "special_tokens_map.json"}
"""Files whose strings are texts and tokens, though one may look like a path."""


def named(name: str) -> str:
    """A parent's name without where it lies: ``/home/me/nets/bert`` is ``bert``, ``google/bert`` stays."""
    if HUB_NAME.fullmatch(name):
        return name
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1].removeprefix("~")


def without_places(folder: Path) -> None:
    """Rewrites settings that lie in a folder and name a place, such as ``_name_or_path`` of transformers."""
    for path in sorted(folder.glob("*.json")):
        if path.name in TABLES or path.stat().st_size > SETTINGS_BYTES:
            continue
        try:
            found = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            continue  # whoever wrote it says what it is
        if (plain := _without(found)) != found:
            path.write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _without(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_without(one, key) for one in value]
    return named(value) if isinstance(value, str) and _is_place(value, key) else value


def _is_place(value: str, key: str) -> bool:
    """By its key, or because it is there: a class of AudioSet is called ``/m/09x0r``, and a token may be ``/``."""
    if len(value) > PATH_MAX or not PLACE.match(value):
        return False
    return KEYS.search(key) is not None or (os.path.isabs(value) and value.count("/") > 1 and os.path.lexists(value))
