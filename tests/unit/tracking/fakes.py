"""Trackers of a user's own: one that writes down what it is told, and several that are no help to anyone."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

from evoray.tracking.base import Begun

AWAY_S = 600
"""For which those that hang would hang."""


class Keeps:
    """A line for everything, in the file ``told`` of its directory; knows by it what it has."""

    def begin(self, beginning):
        folder = Path(beginning.settings["directory"])
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "told"
        before = self.path.read_text().splitlines() if self.path.exists() else []
        rounds = [json.loads(line)["round"] for line in before if "round" in line]
        self._add({"begin": beginning.run, "known": beginning.known.id, "config": dict(beginning.config)})
        print("chatter", flush=True)
        print("chatter", file=sys.stderr)
        return Begun("id-of-" + beginning.run, str(self.path), max(rounds, default=0))

    def round(self, step, figures):
        self._add({"round": step, "figures": dict(figures)})

    def end(self, results):
        self._add(
            {
                "end": results.verdict,
                "error": results.error,
                "figures": dict(results.figures),
                "pictures": [one.name for one in results.pictures],
                "files": {name: os.path.getsize(path) for name, path in results.files.items()},
            }
        )

    def _add(self, line):
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


class Forgets(Keeps):
    """Knows of no round: what another one in its directory was told is not its own."""

    def begin(self, beginning):
        return dataclasses.replace(super().begin(beginning), delivered=0)


class Raises(Forgets):
    """Its server refuses."""

    def round(self, step, figures):
        raise ConnectionError("the server is away")


class Dies(Forgets):
    def round(self, step, figures):
        print("Segmentation fault", file=sys.stderr, flush=True)
        os._exit(139)


class BeginsNever(Keeps):
    def begin(self, beginning):
        super().begin(beginning)
        time.sleep(AWAY_S)


class HangsInRound(Keeps):
    def round(self, step, figures):
        super().round(step, figures)
        time.sleep(AWAY_S if step == 2 else 0)


class HangsAtTheEnd(Keeps):
    def end(self, results):
        super().end(results)
        time.sleep(AWAY_S)


class BackLater(Keeps):
    """Away until the file ``back`` is there."""

    def round(self, step, figures):
        if not (self.path.parent / "back").exists():
            raise ConnectionError("away")
        super().round(step, figures)
