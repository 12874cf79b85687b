"""``metrics.jsonl``: a line a round, in the run directory as soon as the round is done."""

import json
from typing import Any

from evoray.errors import UsageError
from evoray.runtime.events import Event, RoundDone, RunEnded
from evoray.runtime.reading import checked, parse_json, shown
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import REMEDY, Count, Document, Figure, Number, Text

FILE = "metrics.jsonl"
READ_BYTES = 256 * 2**20


class Line(Document):
    """A round; older runs' have no figures."""

    generation: Count
    kind: Text
    candidates: Count
    failed: Count
    best_fitness: Figure
    mean_fitness: Figure
    wall_s: Number
    figures: dict[str, dict[str, Figure]] | None = None


def read_rounds(directory: RunDirectory) -> list[dict[str, Any]]:
    """The rounds of a run, also of one that is at work; none before the first is done.

    Raises:
        UsageError: a line is damaged; says which.
    """
    if not directory.exists(FILE):
        return []
    found = []
    lines = directory.read(FILE, READ_BYTES).decode(errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        origin = f"{shown(directory.path(FILE))}, line {number}"
        found.append(parse_json(line, origin, UsageError))
        checked(Line, found[-1], origin, REMEDY, UsageError)
    return found


class MetricsFile:
    """The observer that writes it. The whole file is written each time: object stores cannot append.

    A run that is resumed tells its earlier rounds again, so the file holds all of them.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._lines: list[str] = []
        self._is_behind = False
        """The last write failed, as on a disk that was full for a while: it is tried again at the run's end."""

    def observe(self, event: Event) -> None:
        if isinstance(event, RoundDone):
            self._lines.append(json.dumps(event.to_dict()) + "\n")
            self._is_behind = True
        if self._is_behind and isinstance(event, RoundDone | RunEnded):
            self._directory.write(FILE, "".join(self._lines).encode())
            self._is_behind = False
