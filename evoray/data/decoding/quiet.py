"""libtiff prints what it finds wrong with a file; the reason is listed, and the terminal is for people."""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from pathlib import Path
from typing import Any

import PIL


class _Quiet:
    """While it is held, by however many threads, Pillow's libtiff prints nothing; its handler comes back at the end.

    Where Pillow does not bring a libtiff of its own, nothing is changed.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = _set_handler(None)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                _set_handler(self._before)


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


quiet = _Quiet()
