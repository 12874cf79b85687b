"""Whatever comes from disk or from a stranger: bounded before it is read, and plain before it is shown."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from evoray.errors import DataError, EvorayError

JSON_BYTES = 256 * 2**20
"""More than any document that EvoRay writes: a manifest of ImageNet's shards has 400 KB."""
DEPTH = 64
SHOWN = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def read_file(path: str | Path, limit: int = JSON_BYTES, error: type[EvorayError] = DataError) -> bytes:
    """A regular file's bytes; never waits on a pipe, and never reads more than ``limit`` bytes.

    Raises:
        error: no such file, no regular file (a folder, a pipe, a device), too large, or unreadable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as reason:
        raise error(f"{shown(path)}: cannot be read ({shown(getattr(reason, 'strerror', None) or reason)}).") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise error(f"{shown(path)}: not a regular file. Name a file.")
    with open(descriptor, "rb") as file:
        if found.st_size > limit:
            raise error(f"{shown(path)}: {found.st_size:,} bytes, more than the {limit:,} that such a file may have.")
        try:
            content = file.read(limit + 1)
        except OSError as reason:
            raise error(f"{shown(path)}: cannot be read ({reason.strerror}).") from None
    if len(content) > limit:
        raise error(f"{shown(path)}: more than the {limit:,} bytes that such a file may have.")
    return content


def parse_json(content: bytes | str, origin: str, error: type[EvorayError] = DataError, depth: int = DEPTH) -> Any:
    """A JSON document of at most ``depth`` levels; ``origin`` is for messages.

    Raises:
        error: not JSON, not UTF-8, too deep, numbers of too many digits, or not-a-number.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise error(f"{shown(origin)}: damaged, nested deeper than {depth} levels.") from None
    except ValueError as reason:
        raise error(f"{shown(origin)}: damaged, not JSON ({shown(reason)}).") from None
    if _deeper(value, depth):
        raise error(f"{shown(origin)}: damaged, nested deeper than {depth} levels.")
    return value


def shown(value: object, limit: int = SHOWN) -> str:
    """A text that cannot steer a terminal or a log: control characters escaped, and cut in its middle."""
    text = _CONTROL.sub(_escaped, str(value))
    if len(text) <= limit:
        return text
    half = (limit - 3) // 2
    return f"{text[:half]} … {text[-half:]}"


def reason_of(error: BaseException) -> str:
    """An exception of a library's or of a stranger's, for a message: its kind, and what it says on one line."""
    return shown(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _deeper(value: Any, depth: int) -> bool:
    """Without recursion: a document may be as deep as Python allows."""
    level = [value]
    for _ in range(depth):
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True
