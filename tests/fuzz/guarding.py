"""One damaged input: what it may do is watched by an audit hook, and what it leaves is compared with what was there."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mutations import mutated
from program import assert_clean

RUNS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "subprocess.Popen",
    "pty.spawn",
    "socket.connect",
    "webbrowser.open",
)
WRITES = {
    "os.mkdir": 0,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.truncate": 0,
    "os.chmod": 0,
    "os.rename": 1,
    "os.link": 1,
    "os.symlink": 1,
}
"""Events of Python's auditing, and which of their arguments is the place that is written to."""
OUTPUTS = ("out.safetensors", "out.json", "new", ".new.part", "new.html")
"""What the commands of the targets are asked to write, in a place of its own or in the run."""


class Watch:
    """Collects what is done that no file may bring about, while ``on``."""

    def __init__(self, allowed: Sequence[Path]) -> None:
        self.allowed = tuple(str(one) for one in allowed)
        self.on, self.seen = False, list[str]()
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in RUNS:
            self.seen.append(f"{event}{arguments[:2]!r}"[:300])
        elif event == "open" and len(arguments) > 2 and isinstance(arguments[2], int):
            if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and not self._may(arguments[0]):
                self.seen.append(f"writes {arguments[0]!r}"[:300])
        elif event in WRITES and not self._may(arguments[WRITES[event]]):
            self.seen.append(f"{event} {arguments!r}"[:300])

    def _may(self, path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return True
        whole = os.path.abspath(os.fsdecode(path))
        return whole.startswith(self.allowed) or whole in ("/dev/null", "/proc/self/clear_refs")


def tried(target: Any, drawn: random.Random, place: Path, good: Good, watch: Watch) -> dict[str, Any]:
    """Damages one file, has it read, judges the end, and puts everything back as it was."""
    paths = sorted(path for pattern in target.files for path in place.glob(pattern))
    path = drawn.choice(paths)
    content = path.read_bytes()
    changed = mutated(drawn, content, target.ways)
    path.write_bytes(changed)
    os.utime(path)
    if target.sign:
        target.sign(path)
    watch.seen.clear()
    watch.on = True
    try:
        outcome = target.read()
    finally:
        watch.on = False
    try:
        assert_clean(outcome, may_be_good=True)
        assert not watch.seen, f"it did what no file may bring about: {watch.seen}"
        assert not (place / "RAN").exists(), "a program in it was run"
        if outcome.code:
            left = [name for name in OUTPUTS if (place / name).exists()]
            assert not left, f"refused, and {left} is written"
        end, why = ("refused", "") if outcome.code else ("read", "")
    except AssertionError as wrong:
        end, why = "wrong", str(wrong)
    good.restore()
    found = {"end": end, "seconds": outcome.seconds, "memory": outcome.memory, "said": outcome.out + outcome.errors}
    return found | ({"why": f"{path.relative_to(place)}: {why}"} if why else {})


class Good:
    """The good files, and how to have them all again, and nothing else, in the place where they are damaged."""

    def __init__(self, place: Path, good: Path) -> None:
        self._place, self._good = str(place), good
        self._files, self._folders = _below(str(good))

    def restore(self) -> None:
        files, folders = _below(self._place)
        for folder in folders - self._folders:
            shutil.rmtree(os.path.join(self._place, folder), ignore_errors=True)
        for name in files.keys() - self._files.keys():
            Path(self._place, name).unlink(missing_ok=True)
        for name, mark in self._files.items():
            if files.get(name) != mark:
                self._copy(name)

    def _copy(self, name: str) -> None:
        target = Path(self._place, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self._good / name, target)


def _below(root: str) -> tuple[dict[str, tuple[int, int]], set[str]]:
    """Every file below it, its time of writing and its size; and the folders. All by their paths from there."""
    files, found, left = {}, set(), [""]
    while left:
        folder = left.pop()
        found.add(folder)
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    left += [path] if entry.name != "__pycache__" else []
                else:
                    known = entry.stat(follow_symlinks=False)
                    files[path] = known.st_mtime_ns, known.st_size
    return files, found
