"""Whatever comes from disk or from a stranger: bounded before it is read, and plain before it is shown."""

import json
import math
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evoray.errors import DataError, EvorayError

if TYPE_CHECKING:
    from pydantic import BaseModel

JSON_BYTES = 24 * 2**20
"""More than any document that EvoRay writes: a manifest of ImageNet's shards has 400 KB. Objects in memory take thirty
times as much at the worst."""
DEPTH = 64
DIGITS = 40
"""Of a whole number; so none overflows where it meets a float."""
SHOWN = 300
LINES, SCREEN = 20, 2000
"""A message is at most a screen: lines, and characters in all."""
CHUNK = 2**20
M = TypeVar("M", bound="BaseModel")
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def open_regular(path: str | Path, error: type[EvorayError] = DataError) -> BufferedReader:
    """A regular file, opened to be read; never waits on a pipe.

    Raises:
        error: no such file, no regular file (a folder, a pipe, a device), or unreadable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as reason:
        raise error(f"{shown(path)}: cannot be read ({said(reason)}).") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise error(f"{shown(path)}: not a regular file. Name a file.")
    return open(descriptor, "rb")


def read_file(path: str | Path, limit: int = JSON_BYTES, error: type[EvorayError] = DataError) -> bytes:
    """A regular file's bytes; never waits on a pipe, and never reads more than ``limit`` bytes.

    Raises:
        error: no such file, no regular file (a folder, a pipe, a device), too large, or unreadable.
    """
    with open_regular(path, error) as file:
        if (size := os.fstat(file.fileno()).st_size) > limit:
            raise error(f"{shown(path)}: {size:,} bytes, more than the {limit:,} that such a file may have.")
        return read_at_most(file, limit, shown(path), error)


def read_at_most(file: Any, limit: int, origin: str, error: type[EvorayError] = DataError) -> bytes:
    """All bytes of an open file or stream, or ``error`` where they are more than ``limit``."""
    parts, left = [], limit
    try:
        while content := file.read(min(left + 1, CHUNK)):
            if len(content) > left:
                raise error(f"{origin}: more than the {limit:,} bytes that such a file may have.")
            parts.append(bytes(content))
            left -= len(content)
    except (OSError, EOFError, zlib.error) as reason:
        raise error(f"{origin}: cannot be read ({said(reason)}).") from None
    return b"".join(parts)


def parse_json(
    content: bytes | str,
    origin: str,
    error: type[EvorayError] = DataError,
    depth: int = DEPTH,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """A JSON document of at most ``depth`` levels; ``origin`` is for messages. pairs: makes the objects of their keys
    and values.

    Raises:
        error: not JSON, not UTF-8, too deep, or a number that is none: infinite, or a whole one of more than
            ``DIGITS`` digits.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        value = json.loads(
            text, parse_constant=refuse_constant, parse_float=_finite, parse_int=_whole, object_pairs_hook=pairs
        )
    except RecursionError:
        raise error(f"{shown(origin)}: damaged, nested deeper than {depth} levels.") from None
    except ValueError as reason:
        raise error(f"{shown(origin)}: damaged, not JSON ({shown(reason)}).") from None
    except MemoryError:
        raise error(f"{shown(origin)}: more than this machine's memory holds.") from None
    if deeper(value, depth):
        raise error(f"{shown(origin)}: damaged, nested deeper than {depth} levels.")
    return value


def shown(value: object, limit: int = SHOWN) -> str:
    """A text that cannot steer a terminal or a log: control characters escaped, and cut in its middle."""
    text = _CONTROL.sub(_escaped, _text(value, str))
    if len(text) <= limit:
        return text
    half = (limit - 3) // 2
    return f"{text[:half]} … {text[-half:]}"


def kind_of(value: object) -> str:
    """What a value of a document is, for a message."""
    return _KINDS.get(type(value), "something else")


def reason_of(error: BaseException) -> str:
    """An exception of a library's or of a stranger's, for a message: its kind, and what it says on one line."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return shown(f"{text} (oneDNN's words where memory is short)" if "could not create a primitive" in text else text)


def quoted(value: object, limit: int = SHOWN) -> str:
    """The same as Python writes a value."""
    return shown(_text(value, repr), limit)


def _text(value: object, how: Callable[[object], str]) -> str:
    try:
        return how(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, a list of thousands of levels
        return f"a very long {type(value).__name__}"


def screen(message: object) -> str:
    """A message as it may be printed: its own lines, each plain, and no more than a screen of them."""
    lines = str(message).split("\n")
    more = len(lines) - LINES
    if more > 0:
        lines = [*lines[:LINES], f"… and {more:,} lines more"]
    text = "\n".join(_CONTROL.sub(_escaped, line.rstrip("\r")) for line in lines)
    if len(text) <= SCREEN:
        return text
    half = SCREEN // 2 - 50
    return f"{text[:half]} … ({len(text) - 2 * half:,} characters left out) … {text[-half:]}"


def said(error: BaseException) -> str:
    """What a library's error says, in one plain line; a system's error in its own words, without the path."""
    if isinstance(inner := getattr(error, "reason", None), BaseException):  # of urllib, around what a socket raised
        return said(inner)
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return shown(" ".join(text.split()) if isinstance(text, str) else text).rstrip(".")


NO_MEMORY = re.compile("annot allocate memory|an't start new thread|failed to map segment")
"""How the system, the interpreter and the loader say that no memory was given."""


def is_short_of_memory(error: BaseException) -> bool:
    """Whether this machine's memory ended, which is no file's fault; PyTorch has an exception of no kind for it."""
    said = str(error)
    return isinstance(error, MemoryError) or bool(NO_MEMORY.search(said)) or "an't allocate memory" in said


@contextmanager
def translated(origin: object, remedy: str, error: type[EvorayError] = DataError) -> Iterator[None]:
    """What a library raises on a stranger's file, as one message that names the file and the remedy.

    The edge of the program: inside it anything that is no error of EvoRay's says that the file is damaged.
    """
    try:
        yield
    except EvorayError:
        raise
    except Exception as reason:
        if NO_MEMORY.search(str(reason)):  # no file's fault
            raise
        name = f"no {said(reason)}" if isinstance(reason, KeyError) else f"{type(reason).__name__}: {said(reason)}"
        raise error(f"{shown(origin)}: damaged ({name}). {remedy}") from None


def checked(model: type[M], value: Any, origin: object, remedy: str, error: type[EvorayError] = DataError) -> M:
    """An instance of a pydantic model; ``error`` names the file, the first wrong key and the remedy."""
    from pydantic import ValidationError  # the command line does not wait for it

    try:
        return model.model_validate(value)
    except EvorayError as reason:  # a validator's own words
        raise error(f"{shown(origin)}: damaged ({shown(reason)}) {remedy}") from None
    except ValidationError as reason:
        raise error(f"{shown(origin)}: damaged ({_plainly(reason.errors(include_url=False)[0])}). {remedy}") from None


def _plainly(found: Mapping[str, Any]) -> str:
    """What is wrong with one value of a document: ``parent.test.nll = "x": a number is expected``."""
    where = shown(".".join(str(part) for part in found["loc"]) or "the document", 80)
    kind, given, ctx = found["type"], found["input"], found.get("ctx", {})
    if kind == "missing":
        return f"{where} is missing"
    if kind == "extra_forbidden":
        return f"{where} is a key that no such file has"
    value = kind_of(given) if isinstance(given, dict | list) else quoted(given, 60)
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{where}: {kind_of(given)} where an object is expected"
    if kind in ("value_error", "assertion_error"):
        says = shown(found["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, "), 200)
        return f"{where}: {says}"
    expected = _EXPECTED.get(kind)
    if expected is None:
        stem = kind.removesuffix("_type").removesuffix("_parsing").removesuffix("_from_float").removesuffix("_size")
        expected = _EXPECTED.get(stem, "another value")
    bounds = {key: f"{number:,}" if isinstance(number, int) else number for key, number in ctx.items()}
    return f"{where} = {value}: {expected.format(**bounds)} is expected"


_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "string": "a text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "string_too_long": "a text of at most {max_length} characters",
    "string_too_short": "a text of at least {min_length} characters",
    "string_pattern_mismatch": "a text of another form",
    "too_long": "a list of at most {max_length} entries",
    "too_short": "a list of at least {min_length} entries",
}
"""Kinds of pydantic's errors, or how they begin, in plain words."""


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"{shown(text, 40)} is more than a number of JSON can be")
    return value


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def deeper(value: Any, depth: int = DEPTH) -> bool:
    """Whether dictionaries and lists are nested deeper; without recursion, for they may be as deep as Python allows."""
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
