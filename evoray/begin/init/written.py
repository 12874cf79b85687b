"""A commented configuration: what was found stands in it, what else may be said stands beside it as comments."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evoray.errors import ConfigError
from evoray.runtime.reading import shown

COLUMN = 32
"""Where comments begin."""


def toml_value(value: Any) -> str:
    """As TOML writes it. Raises ConfigError for a text that TOML cannot hold."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{shown(value)}: a name that is not UTF-8, and TOML is. Rename it.") from None
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def line(key: str, value: Any, comment: str = "", off: bool = False) -> str:
    """``key = value   # comment``; off: as a comment itself."""
    text = f"{'# ' if off else ''}{key} = {toml_value(value)}"
    return f"{text.ljust(COLUMN - 1)} # {shown(comment)}" if comment else text


def section(name: str, lines: Iterable[str]) -> Iterator[str]:
    yield ""
    yield f"[{name}]"
    yield from lines


def command(words: Sequence[str]) -> str:
    """For a shell; what a user has to fill in stays as it is."""
    return shlex.join(words)
