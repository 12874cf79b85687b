"""The process in which a user's reward is called: ``python -m`` of this module with NAME ANSWER FOLDER SECONDS.

It may hang, end its process or write anywhere; whoever asks reads one answer a record, or ends this process and starts
another. Frames on both pipes are eight bytes of length and a pickle; what the reward prints goes to standard error.
"""

from __future__ import annotations

import json
import math
import numbers
import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from evoray.errors import EvorayError
from evoray.runtime.importing import import_function
from evoray.runtime.origin import told
from evoray.runtime.reading import shown

HEAD = struct.Struct("<Q")
Question = tuple[str, str, str]
"""Prompt, answer, and the record as JSON."""
Reply = tuple[float | None, str, str]
"""The reward, None where it failed; what is voted on; and why it failed."""
LONGER = 2.0
"""Times the limit, and this process ends itself: whoever asks has gone."""


def write_frame(file: BinaryIO, value: Any) -> None:
    content = pickle.dumps(value, protocol=5)
    file.write(HEAD.pack(len(content)) + content)
    file.flush()


def read_frame(file: BinaryIO) -> Any:
    """None at the end of the file."""
    head = file.read(HEAD.size)
    return pickle.loads(file.read(*HEAD.unpack(head))) if len(head) == HEAD.size else None


def reply(
    reward: Callable[[str, str, Any], Any], extract: Callable[[str], Any], question: Question, folder: Path | None
) -> Reply:
    """What the functions say of one answer; whatever they raise or return."""
    prompt, answer, record = question
    voted, why = answer.strip(), ""
    try:
        voted = _text(extract(answer))
    except BaseException as error:
        why = f"task.answer raised {told(error, folder)}"
    try:
        value = reward(prompt, answer, json.loads(record))
    except BaseException as error:
        return None, voted, f"it raised {told(error, folder)}"
    number = _number(value)
    if isinstance(number, str):
        return None, voted, number
    return (None, voted, why) if why else (number, voted, "")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"it returned a {type(value).__name__}, and what is voted on is text")
    return value


def _number(value: Any) -> float | str:
    """It as a float, or what is wrong with it."""
    if value is None:
        return "it returned None: it may end without a return"
    if isinstance(value, str | bytes):
        return f"it returned text, {shown(value, 60)!r}: return a number"
    try:
        plain = isinstance(value, numbers.Real) or (
            hasattr(value, "__float__") and not isinstance(value, numbers.Complex)
        )
        found = float(value) if plain else None
    except Exception:
        found = None
    if found is None:
        return f"it returned a {_kind(value)}"
    return found if math.isfinite(found) else f"it returned {found}: return a finite number"


def _kind(value: Any) -> str:
    """Of what is no number, and how to return one."""
    name = type(value).__name__
    try:
        size, shape = math.prod(value.shape), tuple(value.shape)  # an array's, of whichever library
    except Exception:
        if isinstance(value, list | tuple) and len(value) == 1:
            return f"{name} of one value: return the value itself"
        shape = ()
    if not shape:
        return f"{name}: return a number"
    return f"{name} of shape {shape}: return a number, {'such as its .item()' if size == 1 else 'such as its mean'}"


def serve(name: str, answer: str, folder: Path | None, seconds: float, asked: BinaryIO, said: BinaryIO) -> None:
    """Imports the functions, says ``ready`` or why not, then answers a list of questions at a time."""
    try:
        reward = import_function(name, folder)
        extract = import_function(answer, folder) if answer else str.strip
    except EvorayError as error:
        write_frame(said, str(error))
        return
    write_frame(said, "ready")
    while (questions := read_frame(asked)) is not None:
        for question in questions:
            signal.setitimer(signal.ITIMER_REAL, LONGER * seconds + 1)
            found = reply(reward, extract, question, folder)
            signal.setitimer(signal.ITIMER_REAL, 0)
            write_frame(said, found)


def main(name: str, answer: str, folder: str, seconds: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks, who then closes the pipe
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(name, answer, Path(folder) if folder else None, float(seconds), sys.stdin.buffer, said)


if __name__ == "__main__":
    main(*sys.argv[1:])
