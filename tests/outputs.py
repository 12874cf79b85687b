"""What several tests of whole runs share: the files that must not differ by a byte, and a run cut short."""

from __future__ import annotations

import pytest

from evoray.runtime.progress import Progress

FILES = ("population.parquet", "predictions.parquet", "ensemble.json")
"""Written by every run, and free of times and places."""


def bytes_of(directory):
    return {name: directory.read(name) for name in FILES}


def all_of(result):
    """Every file of a run of several generations that is free of times and places, and the summary without its work."""
    directory = result.directory
    lineages = [f"lineage/{name}" for name in directory.names("lineage") if name.endswith(".json")]
    lineages += [f"lineage/g0001/{name}" for name in directory.names("lineage/g0001")]
    files = {name: directory.read(name) for name in (*FILES, *lineages)}
    return files, {key: value for key, value in result.summary.items() if key not in ("run_id", "work")}


class PulledPlug(BaseException):
    """A power cut that Python notices; no Exception, since those of an observer do not stop a run."""


def cut_and_resumed(run, after):
    """What a run ends with that is cut short after so many evaluations. run: takes ``progress`` or ``resume``."""
    with pytest.raises(PulledPlug):
        run(progress=StopsAfter(after))
    return run(resume=True)


class StopsAfter(Progress):
    """Pulls the plug after so many evaluations."""

    def __init__(self, count):
        self.left = count

    def advance(self, count):
        self.left -= count
        if self.left < 0:
            raise PulledPlug
