"""What a run has to leave behind: the files of an undisturbed one, and nothing else."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

TIMED = {"summary.json": ("run_id", "work"), "run.json": ("run_id",)}
"""Keys that say when and where a run was done, in documents."""
UNTOLD = ("journal", "lock.json", "report.html", "window.svg")
"""How a run got there, and pictures that say how long it took."""
FOUND = ("wall_s", "seconds", "share_of_run")


def answer_of(run: Path) -> dict[str, bytes]:
    """Every file of a run directory, without what two undisturbed runs do not share."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_file() and name.partition("/")[0] not in UNTOLD:
            found[name] = _plain(name, path.read_bytes())
    return found


def _plain(name: str, content: bytes) -> bytes:
    if name == "metrics.jsonl":
        return b"\n".join(_without(json.loads(line), ("wall_s",)) for line in content.splitlines())
    if not name.endswith(".json"):
        return content
    value = json.loads(content)
    if name == "config.json":
        value["compute"] = {key: one for key, one in value["compute"].items() if key not in ("backend", "workers")}
    return _without(value, TIMED.get(name, ()))


def _without(value: dict, keys) -> bytes:
    value = {key: one for key, one in value.items() if key not in keys}
    if "config" in value and isinstance(value["config"], dict):
        value["config"].get("compute", {}).pop("backend", None)
    return json.dumps(value).encode()


def unchecked(run: Path) -> bool:
    """Whether a finished run says that it could not check its exports."""
    try:
        summary = json.loads((run / "summary.json").read_text())
    except (OSError, ValueError):
        return False
    return any(said.startswith("not checked") for said in summary.get("rebuilt", {}).values())


def differing(found: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
    """Names of files that are not the same, or are there in one alone."""
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


def halves(*folders: Path) -> list[str]:
    """Files that were being written, and locks."""
    found = [path for folder in folders for path in folder.rglob("*") if path.name.endswith(".part")]
    found += [folder / "lock.json" for folder in folders if (folder / "lock.json").exists()]
    return sorted(path.name for path in found)


def processes_of(session: int) -> list[int]:
    """What lives of a driver's session; a stopped one lives, a dead one that nobody has asked after does not."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[3]) == session and words[0] not in "ZX":
                found.append(int(entry.name))
    return found


def left_over(sessions, seconds: float = 15.0) -> dict[int, str]:
    """Processes of these sessions that are still there after so long, with what they are."""
    deadline = time.monotonic() + seconds
    while found := [pid for session in sessions for pid in processes_of(session)]:
        if time.monotonic() > deadline:
            return {pid: command_of(pid) for pid in found}
        time.sleep(0.05)
    return {}


def command_of(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "gone"
    return " ".join(os.path.basename(word) for word in words.split())[:120]
