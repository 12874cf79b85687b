"""Where in a user's own code an exception comes from, and what a path in it is relative to."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from evoray.runtime.reading import reason_of, shown


def told(error: BaseException, folder: Path | str | None) -> str:
    """Kind and words of an exception, file and line of the user's code, and what to do about a file that is not there.

    Args:
        folder: the configuration's, whose modules are its user's.
    """
    return f"{reason_of(error)}{_place(error, folder)}.{_missing(error, folder)}"


def _place(error: BaseException, folder: Path | str | None) -> str:
    """The innermost line of a file in the folder: `` (model.py, line 7: net = torch.load("w.pth"))``."""
    if folder is None:
        return ""
    inside = os.path.abspath(folder) + os.sep
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(inside) and "site-packages" not in frame.filename:
            line = f": {shown(frame.line, 120)}" if frame.line else ""
            return f" ({shown(os.path.relpath(frame.filename, folder))}, line {frame.lineno}{line})"
    return ""


def _missing(error: BaseException, folder: Path | str | None) -> str:
    if not isinstance(error, FileNotFoundError):
        return ""
    name = error.filename if isinstance(error.filename, str) else _named_in(str(error))
    if not name or os.path.isabs(name):
        return " Put the file there, or mend its path."
    there = folder is not None and os.path.lexists(os.path.join(folder, name))
    which = "and the file lies in the configuration's folder" if there else "not to the configuration's folder"
    return (
        f" A relative path in it is relative to the working directory, {shown(os.getcwd(), 120)}, {which}: write "
        f'Path(__file__).parent / "{shown(name, 80)}".'
    )


def _named_in(text: str) -> str:
    """The file that a library's own words name last: ``No such file or directory: "w.safetensors"``."""
    return text.rpartition(": ")[2].strip("\"' .")
