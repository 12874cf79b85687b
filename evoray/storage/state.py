"""What a directory holds: no run, one that is at work, that has stopped, or that has finished."""

import json
import os
from dataclasses import dataclass, field
from typing import Any, Literal

from evoray.errors import UsageError
from evoray.runtime.auto import AUTO, Auto
from evoray.runtime.reading import shown
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import BEGINNING, remedy_of
from evoray.storage.lock import LOCK, check_free, check_makeable, holder_at
from evoray.storage.metrics import FILE

CONFIG = BEGINNING[0]
SUMMARY = "summary.json"


@dataclass(frozen=True)
class RunState:
    """A run as its directory shows it.

    holder: of a run at work, its program: ``pid``, ``host``, and when it began. rounds: lines of ``metrics.jsonl``.
    generations: that it was asked for, None where it does not say.
    """

    name: Literal["running", "stopped", "finished"]
    holder: dict[str, Any] = field(default_factory=dict)
    rounds: tuple[dict[str, Any], ...] = ()
    generations: int | None = None

    @property
    def standing(self) -> str:
        """Who is best so far, in the words of its last round that says so; empty where none does."""
        told = (one["standing"] for one in reversed(self.rounds) if isinstance(one.get("standing"), str))
        return shown(next(told, ""))


def state_of(directory: RunDirectory) -> RunState | None:
    """None where no run has begun there. Damaged lines of ``metrics.jsonl`` are passed over.

    Raises:
        UsageError: ``config.json`` is damaged.
    """
    if is_finished(directory):
        return RunState("finished")
    if not is_begun(directory):
        return None
    generations = (directory.read_json(CONFIG).get("search") or {}).get("generations")
    holder = holder_at(directory)
    return RunState(
        "stopped" if holder is None else "running",
        holder or {},
        rounds_of(directory),
        generations if type(generations) is int else None,
    )


def rounds_of(directory: RunDirectory) -> tuple[dict[str, Any], ...]:
    """The rounds that a run has done, in order; empty where it has done none, or nobody can read of them."""
    if not directory.exists(FILE):
        return ()
    found = []
    try:
        lines = directory.read(FILE).decode(errors="replace").splitlines()
    except UsageError:
        return ()
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return tuple(found)


def is_begun(directory: RunDirectory) -> bool:
    """Whether a run has started there; ``config.json`` is the last file that its beginning writes."""
    return directory.exists(CONFIG)


def is_finished(directory: RunDirectory) -> bool:
    """Whether a run has ended there; ``summary.json`` is the last file that its end writes, but for the page."""
    # a folder of that name is damage, which whoever reads it tells; not a run that goes on
    return directory.exists(SUMMARY) or (directory.is_local and os.path.isdir(directory.path(SUMMARY)))


def check_place(directory: RunDirectory, resume: bool | Auto = False) -> bool:
    """Whether to resume; nothing is written.

    Raises:
        UsageError: the directory is in use, cannot be made, holds something else, or has no run to resume.
    """
    check_free(directory)
    if not is_finished(directory):
        check_makeable(directory)
    begun = is_begun(directory)
    # a run that was stopped while it wrote its first files has not begun
    names = set(directory.names()) - {"journal", "space.json", LOCK}
    if resume == AUTO:
        resume = begun
    if resume and not begun:
        remedy = f"It was removed. {remedy_of(CONFIG)}" if names else "Leave resume=True out."
        raise UsageError(f"{directory.location}: no run to resume there (no config.json). {remedy}")
    if resume:
        for name in BEGINNING:  # before anything that takes time
            directory.read_json(name)
    if not resume and names:
        what = "another run" if begun else f"other files ({shown(min(names), 80)}, …)"
        raise UsageError(
            f"{directory.location}: holds {what}. Name a new directory with out="
            + (", or continue that run with resume=True." if begun else ".")
        )
    return resume
