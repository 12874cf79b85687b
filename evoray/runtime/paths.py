"""Paths as users write them: ``~`` and ``$NAME`` where no shell has replaced them."""

import os
import re
import uuid
from pathlib import Path

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


def found_from(named: str, config_dir: Path | None) -> Path | None:
    """What a configuration names, relative to the working directory or to its own folder; None where nothing is."""
    path = Path(expanded(named))
    for folder in (Path(), config_dir or Path()):
        try:
            if (folder / path).exists():
                return folder / path
        except (OSError, ValueError):
            break
    return None


def replace_with(path: Path, content: bytes) -> None:
    """Writes a file that appears whole, or not at all."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def is_uri(location: object) -> bool:
    """Whether a location, as it is written, is no path."""
    return URI.match(str(location)) is not None


def names_a_checkpoint(weights: str | None) -> bool:
    """Whether ``parent.weights`` is written like a file: with a folder, or with a checkpoint's suffix."""
    text = str(weights)
    return "/" in text or text.startswith("~") or text.lower().endswith(CHECKPOINTS)
