"""Every strategy, on a real parent: killed at a random moment and resumed, and on Ray: the same bytes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from outputs import PulledPlug, StopsAfter, bytes_of

from evoray.config import parse_config
from evoray.demo import demo_config
from evoray.evolution import evolve
from evoray.storage import journal
from evoray.storage.directory import RunDirectory
from evoray.strategies import STRATEGIES

EXTRA = {"racing": {"strategy": "decomposition", "racing": True, "confidence": 0.7, "children": 16, "generations": 2}}
SEARCHES = {**{name: {"strategy": name} for name in STRATEGIES.names}, **EXTRA}


def config_of(parent_file, name, backend="local", workers=1):
    values = demo_config(0, parent_file, backend).model_dump()
    search = {"children": 8, "generations": 1 if name == "randopt" else 3, **SEARCHES[name]}
    mutation = {"sigma": 0.1, **({} if name == "randopt" else {"parts": 10})}
    return parse_config(
        {
            **values,
            "data": {"path": "mnist5k", "select": 0.02 if name != "racing" else 0.1, "test": 0.02},
            "mutation": mutation,
            "search": search,
            "ensemble": {"size": 3},
            "compute": {**values["compute"], "workers": workers},
        }
    )


@pytest.fixture(scope="module")
def whole(parent_file, tmp_path_factory):
    """Of each strategy the undisturbed run, made once, and how many evaluations it took."""
    made = {}

    def run(name):
        if name not in made:
            seen = StopsAfter(10**9)
            out = tmp_path_factory.mktemp(name) / "run"
            result = evolve(config_of(parent_file, name), out, page=False, progress=seen)
            made[name] = (result, 10**9 - seen.left)
        return made[name]

    return run


@pytest.mark.parametrize("name", SEARCHES)
def test_stopped_at_a_random_unit_it_ends_in_the_same_bytes(whole, parent_file, tmp_path, name, monkeypatch):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    result, units = whole(name)
    after = random.Random(name).randrange(units // 4, units)
    with pytest.raises(PulledPlug):
        evolve(config_of(parent_file, name), tmp_path / "cut", progress=StopsAfter(after))
    resumed = evolve(config_of(parent_file, name), tmp_path / "cut", resume=True, page=False)
    assert bytes_of(resumed.directory) == bytes_of(result.directory)
    assert lineages(resumed.directory) == lineages(result.directory)


def lineages(directory):
    names = [f"lineage/{name}" for name in directory.names("lineage") if name.endswith(".json")]
    return {name: directory.read(name) for name in names}


PROGRAM = """
import json, sys
from evoray.storage import journal
from evoray.config import parse_config
from evoray.evolution import evolve
if __name__ == "__main__":
    journal.FLUSH_SECONDS = 0.01
    config, out, resume = sys.argv[1:]
    evolve(parse_config(json.load(open(config))), out, resume=resume == "yes")
"""


def killed(command, out, segments):
    """Whether the program was killed, once its journal had so many segments, before it ended by itself."""
    process = subprocess.Popen(command, start_new_session=True)
    while process.poll() is None and len(list((out / "journal").glob("*.arrow"))) < segments:
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["local", "ray"])
@pytest.mark.parametrize("name", SEARCHES)
def test_killed_at_a_random_moment_it_ends_in_the_same_bytes(whole, parent_file, tmp_path, name, backend):
    """A process of its own, SIGKILL once the journal has a random number of segments, then --resume."""
    result, units = whole(name)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(config_of(parent_file, name, backend, 2).model_dump(mode="json")))
    program, out = tmp_path / "program.py", tmp_path / "run"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(config), str(out)]
    segments = random.Random(f"{name}/{backend}").randrange(1, max(2, units // 8))
    while not killed([*command, "no"], out, segments):  # a segment holds more on a busy machine: it had ended before
        shutil.rmtree(out)
        segments //= 2
    assert not (out / "summary.json").exists()
    subprocess.run([*command, "yes"], check=True)
    resumed = RunDirectory(str(out))
    assert bytes_of(resumed) == bytes_of(result.directory)
    assert lineages(resumed) == lineages(result.directory)


def test_a_child_of_many_entries_is_exported_from_its_row(whole, parent_file, tmp_path):
    """CMA-ES: the population keeps all entries of a child, members or not."""
    import torch
    from safetensors.torch import load_file

    from evoray.mutation import Lineage, Space, child_state
    from evoray.results.export import export_member

    result, _ = whole("cma-es")
    members = {one["id"] for one in result.summary["ensemble"]["members"]}
    row = next(row for row in result.population.to_pylist() if row["child_id"] not in members)
    assert row["noise_seed"] is None and row["parts"] == 10
    export_member(result.directory, row["child_id"], tmp_path / "child.safetensors", None)
    space = Space.from_json(result.directory.read_json("space.json"))
    expected = child_state(load_file(parent_file), space, Lineage.from_json(json.loads(row["entries"])))
    found = load_file(tmp_path / "child.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
