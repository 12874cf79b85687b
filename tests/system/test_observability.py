"""Metrics and log lines of a real run on a real Ray, as Prometheus and a log collector find them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from evoray.backends.metrics import METRICS

RUN = """
import json, os, sys, time
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
import ray
from evoray.config import parse_config
from evoray.evolution import evolve

config = parse_config(json.load(open(sys.argv[1])))
logging = {"logging_config": ray.LoggingConfig(encoding="JSON", log_level="INFO")}
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=sys.argv[3],
         _metrics_export_port=int(sys.argv[4]), **logging)
result = evolve(config, sys.argv[2])
print(json.dumps(result.summary), flush=True)
sys.stdin.readline()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scraped(port):
    """{(name, sorted labels but Ray's own): value} of our series; empty while nothing answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        if line.startswith("ray_evoray_"):
            series, _, value = line.rpartition(" ")
            name, _, labels = series.partition("{")
            pairs = dict(pair.split("=", 1) for pair in labels.rstrip("}").replace('"', "").split(",") if pair)
            found[name, pairs.get("phase") or pairs.get("state"), pairs["run"]] = float(value)
    return found


@pytest.fixture(scope="module")
def observed(parent_file, tmp_path_factory):
    """(summary, scraped series, driver's log lines, workers' log lines) of one small run."""
    from evoray.config import parse_config
    from evoray.demo import demo_config

    folder = tmp_path_factory.mktemp("observed")
    values = demo_config(0, parent_file, "ray").model_dump()
    values["data"] |= {"select": 0.1, "test": 0.1}
    values["search"] |= {"children": 6, "generations": 1}
    values["compute"] |= {"workers": 2}
    (folder / "config.json").write_text(json.dumps(parse_config(values).model_dump(mode="json")))
    port, temp = free_port(), Path("/tmp") / f"evoray-obs-{os.getpid()}"
    environment = os.environ | {"EVORAY_LOG": "json", "RAY_AUTH_MODE": "disabled"}
    environment.pop("RAY_ADDRESS", None)
    arguments = [sys.executable, "-c", RUN, *map(str, (folder / "config.json", folder / "run", temp, port))]
    with open(folder / "stderr", "wb") as errors:
        process = subprocess.Popen(
            [str(one) for one in arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        )
        try:
            summary = json.loads(process.stdout.readline() or "null")
            assert summary is not None, (folder / "stderr").read_text()[-3000:]
            units = ("ray_evoray_units_total", None, summary["run_id"])
            deadline, series = time.monotonic() + 90, {}
            while series.get(units) != summary["work"]["units"] and time.monotonic() < deadline:
                time.sleep(1)
                series = scraped(port)
        finally:
            process.communicate(b"\n", timeout=60)
    found = summary, series, json_lines(folder / "stderr"), worker_lines(temp)
    shutil.rmtree(temp, ignore_errors=True)
    return found


def json_lines(path):
    lines = path.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def worker_lines(temp):
    return [line for path in temp.glob("session_2*/logs/worker-*.err") for line in json_lines(path)]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_prometheus_finds_the_runs_totals(observed):
    summary, series, _, _ = observed
    run, work = summary["run_id"], summary["work"]
    assert {name for name, _, _ in series} <= {metric.exported for metric in METRICS}
    assert {one for _, _, one in series} == {run}
    assert series["ray_evoray_units_total", None, run] == work["units"]
    assert series["ray_evoray_evaluations_total", None, run] == work["evaluations"]
    assert series["ray_evoray_images_total", None, run] >= summary["splits"]["select"] * 7
    assert series["ray_evoray_bytes_to_workers_total", None, run] == work["bytes_to_workers"]
    assert series["ray_evoray_queue", None, run] == 0
    assert series["ray_evoray_workers", "ready", run] == 2
    for phase in ("build", "load", "evaluate", "wait"):
        assert series["ray_evoray_worker_seconds_total", phase, run] == pytest.approx(work["seconds"][phase])


@pytest.mark.slow
def test_lines_say_run_and_shard(observed):
    summary, _, driver, workers = observed
    done = [line for line in workers if line["message"] == "unit done"]
    assert len(done) >= summary["work"]["units"] - summary["work"]["repeated"]
    for line in done:
        assert line["run"] == summary["run_id"]
        assert isinstance(line["shard"], int)
        assert line["children"] >= 1
        assert line["actor_id"] and line["node_id"]
    assert all(line.get("run", summary["run_id"]) == summary["run_id"] for line in driver)
