"""What several tests of whole runs share: the files that must not differ by a byte, and a run cut short."""

from __future__ import annotations

from evoray.runtime.progress import Progress

FILES = ("population.parquet", "predictions.parquet", "ensemble.json")
"""Written by every run, and free of times and places."""


def bytes_of(directory):
    return {name: directory.read(name) for name in FILES}


class PulledPlug(BaseException):
    """A power cut that Python notices; no Exception, since those of an observer do not stop a run."""


class StopsAfter(Progress):
    """Pulls the plug after so many evaluations."""

    def __init__(self, count):
        self.left = count

    def advance(self, count):
        self.left -= count
        if self.left < 0:
            raise PulledPlug
