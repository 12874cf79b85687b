"""A run's trackers as observers of its events: what happens is put into a queue, and nobody waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evoray.config.tracking import TrackingConfig
from evoray.runtime.events import Event, Observer, RoundDone, RunEnded, RunStarted, WorkersChanged
from evoray.runtime.paths import expanded
from evoray.runtime.reading import shown
from evoray.storage.directory import RunDirectory
from evoray.tracking.base import Beginning
from evoray.tracking.ending import limits, unlimited, wait_for
from evoray.tracking.feeder import Feeder
from evoray.tracking.figures import flattened, of_round
from evoray.tracking.registry import check_trackers
from evoray.tracking.state import State

FOLDER = "tracking"
"""In the run directory, for trackers that write files."""
AWAY = "evoray-tracking"
"""In the working directory, where the run directory is not on this machine's disk."""
Note = Callable[[str], None]


class Trackers:
    """The observer: the run's beginning, each round and the end, for every tracker."""

    def __init__(self, config: TrackingConfig, directory: RunDirectory, config_dir: Path | None = None) -> None:
        self._config, self._directory, self._config_dir = config, directory, config_dir
        self.state = State(directory)
        self._feeders: list[Feeder] = []
        self._step = 0
        self._well, self._began = False, time.monotonic()
        self._workers: int | None = None
        self._verdict: str | None = None

    def observe(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.begin(event.run, event.config)
            case WorkersChanged():
                self._workers = event.workers.get("ready")
            case RoundDone():
                self.round(event.to_dict())
            case RunEnded():
                self._verdict = event.verdict
                self.end(event.error)

    def begin(self, run: str, config: Mapping[str, Any], to: Sequence[str] | None = None) -> None:
        """to: the names of those that are told; all unless given."""
        told = {key: value for key, value in config.items() if key != "tracking"}
        for name in self._config.to if to is None else to:
            beginning = Beginning(run, self._directory.everywhere, flattened(told), self._settings())
            request = {
                "kind": "begin",
                "tracker": name,
                "config_dir": self._config_dir and str(self._config_dir),
                "beginning": asdict(beginning),
            }
            feeder = Feeder(name, request, self.state)
            feeder.start()
            self._feeders.append(feeder)

    def round(self, line: dict[str, Any]) -> None:
        """line: of ``metrics.jsonl``, all of which are told in their order."""
        self._step += 1
        self._tell({"kind": "round", "step": self._step, "figures": of_round(line, self._workers)})

    def end(self, error: str | None) -> None:
        self._well = error is None
        self._tell({"kind": "end", "step": self._step, "error": error})

    def close(self, note: Note, patient: bool = False) -> bool:
        """Waits for trackers that answer, and says what the others were not told; whether all were told all.

        patient: for as long as they answer; else as ``ending`` says.
        """
        patience = self._config.patience
        run_s = time.monotonic() - self._began
        for feeder in self._feeders:
            feeder.close()
        if self._verdict is not None and self._feeders:  # before anybody is waited for
            note(f"results are in {shown(self._directory.location)}: {self._verdict}")
        wait_for(self._feeders, unlimited(patience) if patient else limits(run_s, patience, self._well))
        missed = [feeder for feeder in self._feeders if feeder.missed()]
        for feeder in missed:
            note(
                f"tracking: {feeder.name} was not told everything ({shown(feeder.problem) or 'it is behind'}). Nothing "
                f"is lost: evoray.tracking.replay({self._directory.location!r}) in Python sends it the rest."
            )
        for feeder in self._feeders:
            if feeder not in missed:
                note(f"tracking: {feeder.name}: {feeder.where}")
        return not missed

    def _tell(self, request: dict[str, Any]) -> None:
        for feeder in self._feeders:
            feeder.tell(request)

    def _settings(self) -> dict[str, Any]:
        config, directory = self._config, self._directory
        name = config.name or directory.location.rstrip("/").rpartition("/")[2] or "run"
        if config.directory is not None:
            folder = os.path.abspath(expanded(config.directory))
        elif directory.is_local:
            folder = directory.path(FOLDER)
        else:
            folder = os.path.abspath(os.path.join(AWAY, name))
        return {
            "project": config.project,
            "name": name,
            "uri": config.uri,
            "directory": folder,
            "shared": config.directory is not None,
            "mode": config.mode,
            "artifacts": config.artifacts,
        }


def check(config: TrackingConfig, config_dir: Path | None = None) -> None:
    """Raises ConfigError where a tracker cannot be used, before anything takes time."""
    check_trackers(config.to, config_dir)


@contextmanager
def tracked(
    config: TrackingConfig, directory: RunDirectory, config_dir: Path | None, note: Note
) -> Iterator[Sequence[Observer]]:
    """The observers of ``[tracking]``; at the end of the block they are done, or given up."""
    if not config.to:
        yield ()
        return
    trackers = Trackers(config, directory, config_dir)
    try:
        yield (trackers,)
    finally:
        trackers.close(note)
