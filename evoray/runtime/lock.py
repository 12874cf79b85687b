"""One program at a time in a place on a disk: the kernel's lock, with a word of who holds it.

flock goes with the process that held it, however it ended, so a lock that a killed program left blocks nobody. NFS
hands it from node to node. The file is JSON for the one who is refused, and is gone when its holder is.
"""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from evoray.errors import EvorayError
from evoray.runtime.reading import said, shown

_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_BYTES = 4096
ATTEMPTS = 4


@contextmanager
def one_at_a_time(path: Path, what: str, error: type[EvorayError]) -> Iterator[None]:
    """Holds ``path`` as a lock file for as long as the context is open; its folder must be there.

    Args:
        what: the place that is locked, for the message.

    Raises:
        error: another program holds it; says which one, where, since when, and what to do.
    """
    try:
        descriptor = _patiently(path)
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder()).encode() + b"\n", 0)
    except (OSError, ValueError) as reason:
        raise error(
            f"{shown(path)}: cannot be written ({said(reason)}). Name a place that can be written to."
        ) from None
    if descriptor is None:
        raise error(in_use(what, _said_in(path)))
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(path)  # while it is held: whoever opened it meanwhile sees that it is no longer the file there
        os.close(descriptor)


def holder_of(path: Path) -> dict[str, Any] | None:
    """What the program that holds the lock says of itself; None where nobody holds it. Takes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as reason:
        return _said_in(path) if reason.errno in _TAKEN else None
    finally:
        os.close(descriptor)
    return None


def holder() -> dict[str, Any]:
    """This program, for whom it refuses."""
    since = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": since}


def in_use(what: str, who: dict[str, Any]) -> str:
    """The message to the second program."""
    named = {key: shown(who.get(key, "unknown"), 60) for key in ("host", "pid", "since")}
    return (
        f"{shown(what)}: in use by another program, process {named['pid']} on {named['host']} since {named['since']}. "
        "Wait until it ends, end it, or name another place."
    )


def _patiently(path: Path) -> int | None:
    """As ``_locked``; again for a moment, for whoever asks who holds a lock holds a shared one as long."""
    for _ in range(ATTEMPTS):
        if (descriptor := _locked(path)) is not None:
            return descriptor
        time.sleep(0.05)
    return None


def _locked(path: Path) -> int | None:
    """An open file that holds the lock, None where another one does."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as reason:
            if reason.errno in _TAKEN:
                os.close(descriptor)
                return None  # a file system without locks goes on without one
        with suppress(OSError):
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)  # its holder ended between our opening and our locking it, and took the file along


def _said_in(path: Path) -> dict[str, Any]:
    """The holder's own words; empty where it has not written them yet, or somebody else has written there."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
