"""The run in a process of its own: what it prints, what it has written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

from evoray.storage.directory import RunDirectory

DRIVE = """
import json, sys
from pathlib import Path
from evoray.config import parse_config
from evoray.evolution import evolve
scene, out, resume, first = Path(sys.argv[1]), *sys.argv[2:5]
exec(first)
config = parse_config(json.loads((scene / "config.json").read_text()))
evolve(config, out, config_dir=scene, resume=resume == "1")
"""


def drive(scene, config, out, *, resume=False, environment=(), through=(), first=""):
    """Starts it; ``through`` is a command that starts the one after it, ``first`` is Python to be run before."""
    (scene.folder / "config.json").write_text(json.dumps(config.model_dump(mode="json")))
    command = [*through, sys.executable, "-c", DRIVE, str(scene.folder), str(out), str(int(resume)), first]
    return subprocess.Popen(command, env=os.environ | dict(environment), stderr=subprocess.PIPE, text=True)


def finish(process, seconds=200):
    """Exit code and what it wrote to stderr."""
    _, errors = process.communicate(timeout=seconds)
    return process.returncode, errors


def result_in(out):
    directory = RunDirectory(str(out))
    return SimpleNamespace(directory=directory, summary=directory.read_json("summary.json"))


def journalled(out):
    return len(list((out / "journal").glob("*.arrow")))


def wait_for_more(process, out, begun, seconds=120):
    """Until the journal has more than ``begun`` parts."""
    wait_for(process, lambda: journalled(out) > begun, seconds)


def wait_for(process, condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, finish(process)
        assert time.monotonic() < deadline, "it did not get so far"
        time.sleep(0.05)
