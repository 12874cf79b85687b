"""A run and its trackers: killed and gone on in one series; with trackers that hang, it ends in time and the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from outputs import PulledPlug, StopsAfter, bytes_of
from test_feeder import until

from evoray.evolution import evolve
from evoray.runtime.progress import Progress
from evoray.storage import journal
from evoray.storage.metrics import read_rounds

FAKES = Path(__file__).parents[1] / "unit" / "tracking" / "fakes.py"
SMALL = {"search__generations": 2, "compute__workers": 1}
ONE_GENERATION = 7 * 5 + 5 * 5
"""Evaluations: the parent and six children, then five soups, on five shards."""


@pytest.fixture(scope="module")
def untracked(small_run, tmp_path_factory):
    return evolve(small_run(**SMALL), tmp_path_factory.mktemp("untracked") / "run", page=False)


@pytest.fixture
def tracked(small_run):
    """The small run's configuration with trackers."""

    def make(*to, **settings):
        config = small_run(**SMALL).model_dump() | {"tracking": {"to": to, **settings}}
        return type(small_run())(**config)

    return make


@pytest.fixture
def own(tmp_path):
    """A configuration's folder with trackers of the user's own in it."""
    (tmp_path / "own").mkdir()
    return Path(shutil.copy(FAKES, tmp_path / "own")).parent


class Said(Progress):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_killed_run_goes_on_in_one_series_and_may_name_another_tracker(
    tracked, untracked, tmp_path, own, monkeypatch, capfd
):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    with pytest.raises(PulledPlug):
        evolve(
            tracked("tensorboard", patience=60),
            tmp_path / "run",
            config_dir=own,
            progress=StopsAfter(ONE_GENERATION + 5),
        )
    said = json.loads((tmp_path / "run" / "tracking.json").read_text())["trackers"]["tensorboard"]
    assert (said["delivered"], said["ended"]) == (2, False)
    config = tracked("tensorboard", "fakes:Keeps", patience=60, artifacts="none")
    result = evolve(config, tmp_path / "run", resume=True, page=False, config_dir=own)

    assert bytes_of(result.directory) == bytes_of(untracked.directory), "trackers change nothing that a run finds"
    assert result.directory.read_json("config.json")["tracking"]["to"] == ["tensorboard", "fakes:Keeps"]
    assert "tracking" not in untracked.directory.read_json("config.json")
    rounds = read_rounds(result.directory)
    best = [one["figures"]["best"]["nll"] for one in rounds if one["kind"] == "child"]
    found = EventAccumulator(str(tmp_path / "run" / "tracking" / "tensorboard"))
    found.Reload()
    assert [one.step for one in found.Scalars("generation")] == [1, 2, 3, 4]
    assert [(one.step, one.value) for one in found.Scalars("children/best/nll")] == [
        (1, pytest.approx(best[0])),
        (3, pytest.approx(best[1])),
    ]
    assert found.Tensors("verdict")[-1].tensor_proto.string_val[0].decode() == result.verdict
    other = [json.loads(line) for line in (tmp_path / "run" / "tracking" / "told").read_text().splitlines()]
    assert [one["round"] for one in other if "round" in one] == [1, 2, 3, 4], "one that comes later is told all"
    assert other[0]["config"]["mutation.sigma"] == 0.1
    assert capfd.readouterr() == ("", "")


def test_trackers_that_hang_raise_and_die_cost_no_answer(tracked, untracked, tmp_path, own):
    seen = Said()
    to = ["fakes:BeginsNever", "fakes:HangsAtTheEnd", "fakes:Raises", "fakes:Dies"]
    config = tracked(*to, patience=1, artifacts="none")
    result = evolve(config, tmp_path / "run", page=False, config_dir=own, progress=seen)
    assert bytes_of(result.directory) == bytes_of(untracked.directory)
    missed = [text for text in seen.notes if "was not told everything" in text]
    assert [text.split()[1] for text in missed] == to
    assert all("evoray.tracking.replay" in text for text in missed)


@pytest.fixture
def silent_server():
    """Takes every connection, and answers none."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:  # the kernel takes them; nobody asks for them
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.slow
def test_servers_that_never_answer_cost_no_answer(tracked, untracked, tmp_path, silent_server, monkeypatch):
    """MLflow and W&B themselves, which would try for minutes."""
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    seen = Said()
    config = tracked("mlflow", "wandb", uri=silent_server, patience=5)
    result = evolve(config, tmp_path / "run", page=False, progress=seen)
    assert bytes_of(result.directory) == bytes_of(untracked.directory)
    missed = [text for text in seen.notes if "was not told everything (no answer for" in text]
    assert [text.split()[1] for text in missed] == ["mlflow", "wandb"]


READ = {
    "mlflow": """
from mlflow.tracking import MlflowClient
client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
(run,) = client.search_runs([client.get_experiment_by_name("evoray").experiment_id])
series = [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "generation")]
verdict = run.data.tags["verdict"]
pictures = len(client.list_artifacts(run.info.run_id, "report"))
""",
    "wandb": """
from pathlib import Path
from evoray.tracking.wandb import records, values
found = [one for path in sorted(Path(folder).glob("wandb/offline-*/*.wandb")) for one in records(path)]
rows = [values(one.history.item) for one in found if one.WhichOneof("record_type") == "history"]
series = [(row["_step"], row["generation"]) for row in rows if "generation" in row]
verdict = [values(one.summary.update) for one in found if one.WhichOneof("record_type") == "summary"]
verdict = [one["verdict"] for one in verdict if "verdict" in one][-1]
pictures = len([name for row in rows for name in row if name.startswith("report/")])
""",
}
RUN = """
import json, sys
from evoray.config import parse_config
from evoray.evolution import evolve
print(evolve(parse_config(json.load(open(sys.argv[1]))), sys.argv[2], resume="auto", page=False).verdict)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", READ)
def test_a_run_that_is_killed_by_the_kernel_goes_on_in_one_series(tracked, tmp_path, name):
    """The real program and library; the tracker's own process outlives the run by no more than it takes to put away."""
    config = tracked(name, mode="offline", patience=120).model_dump(mode="json")
    config["search"]["generations"] = 6
    (tmp_path / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-c", RUN, str(tmp_path / "config.json"), str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: delivered(tmp_path, name) >= 2, 240)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280)
    code = f"folder = {str(tmp_path / 'run' / 'tracking')!r}\n{READ[name]}\nimport json"
    code += "\nprint(json.dumps([series, verdict, pictures]))"
    read = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    series, verdict, pictures = json.loads(read.stdout.splitlines()[-1])
    assert series == [[step, (step - 1) // 2] for step in range(1, 13)]
    assert verdict == done.stdout.strip()
    assert pictures > 3


def delivered(folder, name):
    return json.loads((folder / "run" / "tracking.json").read_text())["trackers"][name]["delivered"]
