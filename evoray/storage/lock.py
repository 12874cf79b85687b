"""One program at a time in a run directory: the second is refused by name of the first.

On a path it is the kernel's lock (``runtime/lock.py``), which a killed program leaves to the next. An object store
has no locks: there the file is renewed every RENEW_S, and whoever finds one that is not renewed for LEASE_S takes the
place. That needs no two clocks that agree. Where the holder was a process of this machine and is gone, nobody waits.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from evoray.errors import EvorayError, UsageError
from evoray.runtime.lock import holder, holder_of, in_use, one_at_a_time
from evoray.runtime.reading import said, shown
from evoray.storage.directory import RunDirectory

LOCK = "lock.json"
RENEW_S, LEASE_S = 15.0, 45.0
SETTLE_S = 1.0
"""Two that began at once have both written by then; the later one's name stands in the file."""
PARTS = f"*.{8 * '[0-9a-f]'}.part"
"""Half-written files, as ``RunDirectory.writing`` calls them: of a program that was killed meanwhile."""


def claimed(directory: RunDirectory, note: Callable[[str], None] = lambda text: None) -> AbstractContextManager[None]:
    """Holds a run directory for as long as the context is open; a folder that is still empty then goes again.

    Raises:
        UsageError: another program is at work there; says which one, where, and since when.
    """
    return _on_disk(directory) if directory.is_local else _leased(directory, note)


def check_free(directory: RunDirectory) -> None:
    """Raises UsageError where another program is at work in a directory on a disk; takes nothing."""
    if directory.is_local and (who := holder_of(Path(directory.path(LOCK)))) is not None:
        raise UsageError(in_use(directory.location, who))


def holder_at(directory: RunDirectory) -> dict[str, Any] | None:
    """What the program at work in a directory says of itself; None where there is none, as far as can be seen: in an
    object store one that was killed on another machine is not told from one that lives."""
    if directory.is_local:
        return holder_of(Path(directory.path(LOCK)))
    lease = _lease(directory)
    return lease if lease and not _is_gone(lease) else None


def tidy(directory: RunDirectory) -> None:
    """Removes what a program left that was killed at its very end: its lock, and files it had half written."""
    if directory.exists(LOCK) and holder_at(directory) is None:
        with suppress(EvorayError, OSError), claimed(directory):
            pass


def check_makeable(directory: RunDirectory) -> None:
    """Raises UsageError where a directory on a disk cannot be made or written to; takes nothing."""
    if not directory.is_local:
        return
    root = Path(directory.path(LOCK)).parent
    there = next(folder for folder in (root, *root.parents) if os.path.lexists(folder))
    if not os.path.isdir(there) or not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(
            f"{shown(directory.location)}: {there} is no folder that can be written to. Name another place."
        )


@contextmanager
def _on_disk(directory: RunDirectory) -> Iterator[None]:
    root = Path(directory.path(LOCK)).parent
    made = [folder for folder in (root, *root.parents) if not os.path.lexists(folder)]
    try:
        root.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{directory.location}: cannot be made ({said(error)}). Name another place with out=."
        ) from None
    try:
        with one_at_a_time(root / LOCK, directory.location, UsageError):
            if (root / "journal").is_dir():  # a run's folder, and nobody's downloads
                for part in root.rglob(PARTS):
                    with suppress(OSError):
                        part.unlink()
            directory.held = True
            yield
    finally:
        directory.held = False
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def _leased(directory: RunDirectory, note: Callable[[str], None]) -> Iterator[None]:
    _wait_for_the_last(directory, note)
    own = holder() | {"token": uuid.uuid4().hex, "renewed": 0}
    directory.write_json(LOCK, own)
    time.sleep(SETTLE_S)
    if (found := _lease(directory)).get("token") != own["token"]:
        raise UsageError(in_use(directory.location, found))
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(directory, own, ended), name="evoray-lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with suppress(EvorayError, OSError):
            if _lease(directory).get("token") == own["token"]:
                directory.remove(LOCK)


def _wait_for_the_last(directory: RunDirectory, note: Callable[[str], None]) -> None:
    """Returns once nobody renews the lease; UsageError where somebody does."""
    before = _lease(directory)
    if not before or _is_gone(before):
        return
    note(f"{directory.location}: its last program did not say that it ended; waiting {LEASE_S:g} s for a sign of it")
    deadline = time.monotonic() + LEASE_S
    while time.monotonic() < deadline:
        time.sleep(min(5.0, LEASE_S / 10))
        if (now := _lease(directory)) != before:
            if not now:
                return
            raise UsageError(in_use(directory.location, now))


def _lease(directory: RunDirectory) -> dict[str, Any]:
    """What the file says; empty where there is none, or nothing that could be a lease."""
    if not directory.exists(LOCK):
        return {}
    try:
        found = directory.read_json(LOCK)
    except UsageError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_gone(lease: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine, and there is none of that number now."""
    pid = lease.get("pid")
    if lease.get("host") != holder()["host"] or type(pid) is not int or not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _renew(directory: RunDirectory, own: dict[str, Any], ended: threading.Event) -> None:
    while not ended.wait(RENEW_S):
        own = own | {"renewed": own["renewed"] + 1}
        # a store that is away for a while, or memory that is short, is the journal's to report
        with suppress(EvorayError, OSError, MemoryError):
            directory.write_json(LOCK, own)
