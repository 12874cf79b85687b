"""Where in a user's own code an exception comes from, and what a path in it is relative to."""

import opcode
import os
import signal
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

from evoray.errors import EvorayError, UsageError
from evoray.runtime.reading import reason_of, shown

_LIBRARIES = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def told(error: BaseException, folder: Path | str | None) -> str:
    """Kind and words of an exception, file and line of the user's code, and what to do about a file that is not there.

    Args:
        folder: the configuration's, whose modules are its user's.
    """
    return f"{reason_of(error)}{_place(error, folder)}.{_missing(error, folder)}"


class NoExit:
    """Inside, code of the user's that ends the program (``sys.exit()``, or an argparse that does not know EvoRay's
    options) is an error like any other: a program that ends with its code, or a worker that does, would say nothing.

    So is a KeyboardInterrupt that the user's own line raises: nobody pressed Ctrl-C. A handler of a signal, which the
    user's program has set to end itself, still does.

    Args:
        folder: the configuration's. error: the kind to raise.
    """

    def __init__(self, folder: Path | str | None, error: type[EvorayError] = UsageError) -> None:
        self._folder, self._error = folder, error

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, at: TracebackType | None) -> None:
        ends = isinstance(error, SystemExit | GeneratorExit) or _is_own_interrupt(error)
        if ends and error is not None and not _of_a_signal(error):
            where = _place(error, self._folder) or place_of(error)
            code = f"{type(error).__name__}: {shown(error, 80)}" if str(error) else type(error).__name__
            raise self._error(
                f"your code ends the program ({code}){where}. Raise an exception in its place, or leave that line out "
                'of what is imported (if __name__ == "__main__":).'
            ) from error


def _is_own_interrupt(error: BaseException | None) -> bool:
    """Whether a line of the user's raises KeyboardInterrupt itself. What Ctrl-C raises comes from between two
    instructions, and from no ``raise``; raised again, it is the other's context."""
    if not isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt):
        return False
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or last.tb_frame.f_code.co_filename.startswith((*_LIBRARIES, _OURS)):
        return False
    return last.tb_frame.f_code.co_code[last.tb_lasti] == opcode.opmap["RAISE_VARARGS"]


def _of_a_signal(error: BaseException) -> bool:
    """Whether it was raised by a handler that the program has set."""
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    codes = {getattr(one, "__code__", None) for one in handlers} - {None}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


def place_of(error: BaseException) -> str:
    """The innermost line that is neither Python's, nor an installed package's, nor EvoRay's, as ``_place`` says it."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((*_LIBRARIES, _OURS)):
            return (
                f" ({shown(frame.filename)}, line {frame.lineno}{f': {shown(frame.line, 120)}' if frame.line else ''})"
            )
    return ""


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
