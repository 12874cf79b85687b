"""How a good file becomes a bad one: each function takes its path, and leaves something else there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEEP = "[" * 200_000


def written(content: bytes) -> Callable[[Path], None]:
    return lambda path: _replace(path, content)


def _replace(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _cut(share: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = path.read_bytes()
        _replace(path, content[: int(len(content) * share)])

    return damage


def _flipped(share: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[int(len(content) * share)] ^= 0xFF
        _replace(path, bytes(content))

    return damage


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(target: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink()
        path.symlink_to(target.format(name=path.name))

    return damage


def _sparse(path: Path) -> None:
    path.unlink()
    with open(path, "wb") as file:
        file.truncate(2**40)


PLACES: dict[str, Callable[[Path], None]] = {
    "a pipe": _fifo,
    "a folder": _folder,
    "a link to itself": _link("{name}"),
    "a device": _link("/dev/zero"),
    "a link to nothing": _link("nowhere"),
    "a terabyte": _sparse,
}
"""What stands where a file should."""

BYTES: dict[str, Callable[[Path], None]] = {
    "empty": written(b""),
    "cut at a third": _cut(0.33),
    "cut at its end": _cut(0.98),
    "a byte flipped early": _flipped(0.1),
    "a byte flipped late": _flipped(0.9),
    "zeros": written(b"\0" * 4096),
    "no UTF-8": written(b"\xff\xfe{\x80}"),
    "HTML": written(b"<html><body>404 not found</body></html>\n"),
    "a git pointer": written(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
}
"""What a copy, a disk or a web server makes of a file."""

TEXTS: dict[str, Callable[[Path], None]] = {
    "nested deep": written(DEEP.encode()),
    "objects nested deep": written(b'{"a":' * 100_000),
    "nested and closed": written(b"[" * 70 + b"]" * 70),
    "a number": written(b"7"),
    "null": written(b"null"),
    "a list": written(b"[]"),
    "a text": written(b'"\\u001b[31mred\\u001b[0m"'),
    "an empty object": written(b"{}"),
    "a number of many digits": written(b'{"format": ' + b"9" * 5000 + b"}"),
    "a number that is none": written(b'{"format": NaN}'),
    "a number too large": written(b'{"format": 1e999}'),
    "many small things": written(b"[" + b"[]," * 50_000 + b"1]"),
}
"""Other documents than the one that is expected."""

VALUES: dict[str, Any] = {
    "null": None,
    "a text": "\x1b[2J[red]x",
    "a list": [],
    "an object": {},
    "minus one": -1,
    "huge": 10**39,
    "almost infinite": 1.7e308,
    "true": True,
    "nested": [[[[1]]]],
    "a surrogate": "\ud800",
}


def set_value(path: Path, keys: str, value: Any) -> None:
    """A document with one value changed; ``keys`` with dots, numbers are places in a list."""
    document = json.loads(path.read_bytes())
    place = document
    *outer, last = keys.split(".")
    for key in outer:
        place = place[int(key) if isinstance(place, list) else key]
    place[int(last) if isinstance(place, list) else last] = value
    _replace(path, json.dumps(document, indent=1).encode())


def without(path: Path, keys: str) -> None:
    """A document without one key."""
    document = json.loads(path.read_bytes())
    place = document
    *outer, last = keys.split(".")
    for key in outer:
        place = place[int(key) if isinstance(place, list) else key]
    del place[int(last) if isinstance(place, list) else last]
    _replace(path, json.dumps(document, indent=1).encode())
