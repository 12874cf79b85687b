"""Paths as users write them: ``~`` and ``$NAME`` where no shell has replaced them."""

from __future__ import annotations

import os
import re

from evoray.errors import ConfigError
from evoray.runtime.reading import shown

CHECKPOINTS = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar", ".th", ".pkl", ".model", ".index.json")
"""Suffixes of files of weights, in small or capital letters."""
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/{1,2}")
"""How a location begins that is no path; one letter is a drive of Windows."""
_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def expanded(path: str) -> str:
    """A path with ``~`` and variables of the environment replaced; a URI, or a file with a $ in its name, stays.

    Raises:
        ConfigError: a variable is not set, or there is no home directory.
    """
    if "://" in path or "\0" in path:
        return path
    if "$" in path and not os.path.lexists(path):
        for name in _VARIABLE.findall(path):
            if name.strip("{}") not in os.environ:
                known = shown(name.strip("{}"))
                raise ConfigError(f"{shown(path)}: the environment has no {known}. Set it, or write it out.")
        path = os.path.expandvars(path)
    home = os.path.expanduser(path)
    if path.startswith("~") and home == path and not os.path.lexists(path):
        raise ConfigError(f"{shown(path)}: no such home directory. Set HOME, or write the path out.")
    return home


def is_uri(location: object) -> bool:
    """Whether a location, as it is written, is no path."""
    return URI.match(str(location)) is not None


def names_a_checkpoint(weights: str | None) -> bool:
    """Whether ``parent.weights`` is written like a file: with a folder, or with a checkpoint's suffix."""
    text = str(weights)
    return "/" in text or text.startswith("~") or text.lower().endswith(CHECKPOINTS)
