"""``metrics.jsonl``: a line a round, in the run directory as soon as the round is done."""

from __future__ import annotations

import json

from evoray.runtime.events import Event, RoundDone
from evoray.storage.directory import RunDirectory

FILE = "metrics.jsonl"


class MetricsFile:
    """The observer that writes it. The whole file is written each time: object stores cannot append.

    A run that is resumed tells its earlier rounds again, so the file holds all of them.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._lines: list[str] = []

    def observe(self, event: Event) -> None:
        if isinstance(event, RoundDone):
            self._lines.append(json.dumps(event.to_dict()) + "\n")
            self._directory.write(FILE, "".join(self._lines).encode())
