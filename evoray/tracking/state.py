"""``tracking.json`` in the run directory: by which id each tracker knows the run, and how far it was told."""

from __future__ import annotations

import logging
import threading
from typing import Any

from evoray.errors import EvorayError
from evoray.storage.directory import RunDirectory
from evoray.tracking.base import Begun, Known

FILE = "tracking.json"
LOG = logging.getLogger("evoray")


class State:
    """Written by the threads of several trackers, each its own part. A file that cannot be read is as none."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory, self._lock = directory, threading.Lock()
        self._trackers: dict[str, dict[str, Any]] = {}
        try:
            if directory.exists(FILE):
                self._trackers = dict(directory.read_json(FILE).get("trackers", {}))
        except EvorayError as error:
            LOG.warning("%s It is begun anew.", error)

    def known(self, name: str) -> Known:
        found = self._trackers.get(name, {})
        return Known(found.get("id"), found.get("delivered", 0))

    def has_ended(self, name: str) -> bool:
        """Whether the tracker was told that the run has finished."""
        return bool(self._trackers.get(name, {}).get("ended", False))

    def forget(self, name: str) -> None:
        self._trackers.pop(name, None)

    def begun(self, name: str, begun: Begun) -> None:
        self._put(name, {"id": begun.id, "where": begun.where, "delivered": begun.delivered, "ended": False})

    def delivered(self, name: str, step: int) -> None:
        self._put(name, {"delivered": step})

    def ended(self, name: str, well: bool) -> None:
        """well: not by a failure, after which the run may go on."""
        self._put(name, {"ended": well})

    def _put(self, name: str, values: dict[str, Any]) -> None:
        with self._lock:
            self._trackers[name] = {**self._trackers.get(name, {}), **values}
            try:
                self._directory.write_json(FILE, {"format": 1, "trackers": self._trackers})
            except EvorayError as error:
                LOG.warning("%s", error)  # as on a full disk, of which the run itself speaks
