"""W&B's offline files hold a run in one series: also of one that was killed and went on."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_feeder import until

from evoray.tracking.remote import Remote


@pytest.fixture
def told(begin):
    """Tells a process the rounds up to one that it lacks, and then ends, leaves or kills it; what it answered first."""

    def tell(last, how, known=None):
        request = begin("wandb", mode="offline", project="mine")
        request["beginning"]["known"] = {"id": known, "delivered": 3}
        remote = Remote()
        remote.start()
        begun = remote.ask(request)
        tell.pids.append(remote._process.pid)
        for step in range(begun["delivered"] + 1, last + 1):
            remote.ask({"kind": "round", "step": step, "figures": {"children/best/nll": 1 / step}})
        if how == "ended":
            remote.ask({"kind": "end", "step": last, "error": None})
        if how != "killed":
            remote.stop()
        remote.close()
        return begun

    tell.pids = []
    return tell


def no_service_of(pids):
    """W&B's own process is started with ``--pid`` and the number of the one that it serves."""
    lines = [path.read_text(errors="replace").split("\0") for path in Path("/proc").glob("[0-9]*/cmdline")]
    return not any("--pid" in line and {*line} & {*map(str, pids)} for line in lines)


@pytest.mark.parametrize("how", ["left", pytest.param("killed", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning:wandb")
def test_a_killed_run_goes_on_in_one_series(told, finished, tmp_path, how):
    """left: the run was killed, and the tracker's process put away what it had; killed: it was killed as well."""
    finished.remove("population.parquet")  # no pictures: they have a test of their own
    from evoray.tracking.wandb import last_step, records, values  # imports W&B

    first = told(3, how)
    again = told(5, "ended", known=first["id"])
    assert again["id"] == first["id"] == "abc"
    assert again["delivered"] == 3 or how == "killed"
    paths = sorted(tmp_path.glob("out/wandb/offline-run-*/run-abc.wandb"))
    assert len(paths) == 2
    found = [one for path in paths for one in records(path)]
    history = [values(one.history.item) for one in found if one.WhichOneof("record_type") == "history"]
    assert [(row["_step"], row["children/best/nll"]) for row in history] == [(step, 1 / step) for step in range(1, 6)]
    runs = [one.run for one in found if one.WhichOneof("record_type") == "run"]
    assert {(run.run_id, run.project, run.display_name) for run in runs} == {("abc", "mine", "run")}
    assert values(runs[0].config.update)["mutation.sigma"] == 0.1
    summary = {}
    for one in found:
        if one.WhichOneof("record_type") == "summary":
            summary |= values(one.summary.update)
    assert summary["verdict"] == finished.read_json("summary.json")["verdict"]
    assert summary["test/soup/nll"] == finished.read_json("summary.json")["soup"]["nll"]
    artifacts = [one.artifact for one in found if one.WhichOneof("record_type") == "artifact"]
    artifacts += [one.request.log_artifact.artifact for one in found if one.request.HasField("log_artifact")]
    assert {entry.path for one in artifacts for entry in one.manifest.contents} >= {
        "lineage/best.json",
        "lineage/soup.json",
    }
    assert last_step(paths) == 5
    until(lambda: no_service_of(told.pids), 20)
