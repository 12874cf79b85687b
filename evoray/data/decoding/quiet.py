"""libtiff and libjpeg print what they find wrong with a file; the reason is listed, and the terminal is for people."""

import ctypes
import os
import platform
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import PIL


class _Quiet:
    """While it is held, by however many threads, a library prints nothing; what was there comes back at the end.

    put: puts the first where the library prints to, and returns what was there; None where nothing can be changed.
    """

    def __init__(self, put: Callable[[Any], Any], silent: Callable[[], Any]) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, None
        self._put, self._silent = put, silent

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = self._put(self._silent())

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._put(self._before)


def _set_handler(handler: Any) -> Any:
    """The handler that was there before."""
    library = _libtiff()
    return None if library is None else library.TIFFSetErrorHandler(handler)


@cache
def _libtiff() -> Any:
    """The library that Pillow's wheel has beside it, as the process has it loaded; None where there is none."""
    package = Path(PIL.__file__).parent
    found = [*package.parent.glob("[Pp]illow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")]
    try:
        library = ctypes.CDLL(str(found[0]))
        library.TIFFSetErrorHandler.argtypes = [ctypes.c_void_p]
        library.TIFFSetErrorHandler.restype = ctypes.c_void_p
    except (IndexError, OSError, AttributeError):
        return None
    return library


@cache
def _stream() -> Any:
    """C's own ``stderr``, a pointer that glibc lets a program change; None elsewhere. Python does not print by it."""
    if platform.libc_ver()[0] != "glibc":
        return None
    try:
        return ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr")
    except (ValueError, OSError):
        return None


@cache
def _nowhere() -> Any:
    """A stream of C's that leads nowhere, open as long as the process is."""
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    return library.fopen(os.devnull.encode(), b"we") if _stream() is not None else None


def _set_stream(stream: Any) -> Any:
    """The stream that was there before."""
    place = _stream()
    if place is None or not stream:
        return None
    before, place.value = place.value, stream
    return before


quiet = _Quiet(_set_handler, lambda: None)
"""Of Pillow's libtiff; where Pillow does not bring one of its own, nothing is changed."""
quiet_c = _Quiet(_set_stream, _nowhere)
"""Of all that prints by C's ``stderr``, as torchvision's libjpeg does: to be held for one picture at a time."""
