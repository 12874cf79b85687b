"""``evoray serve`` as a user starts it, on Ray: a thousand requests, a replica that is killed, and a clean end."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from sent import encoded
from served import HEADERS, ask, served
from served_runs import order_of_test, texts

from evoray.data import open_dataset
from evoray.evolution import evolve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def run(small_run, tmp_path_factory):
    place = tmp_path_factory.mktemp("served") / "run"
    return evolve(small_run(compute__device="cpu"), str(place), page=False)


@pytest.fixture(scope="module")
def pictures(run):
    """PNG files of the run's test set, in the order of predictions.parquet."""
    dataset = open_dataset("mnist5k")
    images = np.concatenate([dataset.load(shard).images for shard in range(len(dataset.shard_rows))])
    return [encoded(images[at]) for at in run.directory.read_table("predictions.parquet")["index"].to_pylist()]


def test_a_server_answers_survives_a_dead_replica_and_ends(run, pictures):
    table = run.directory.read_table("predictions.parquet").to_pydict()
    with served(run.directory.location, "--member", "ensemble", "--replicas", "2") as server:
        for number in (0, 7):
            response = httpx.post(f"{server.url}predict?top=10", content=pictures[number], headers=HEADERS)
            found = {one["output"]: one["probability"] for one in response.json()["answers"][0]["classes"]}
            wanted = dict(zip(table["classes"][number], table["probabilities"][number], strict=True))
            assert found == pytest.approx(wanted, abs=1e-6)
        assert httpx.post(f"{server.url}predict", content=pictures[0]).status_code == 401

        thousand = (pictures * 10)[:1000]
        assert {one.status for one in ask(server.url, thousand, 32)} == {200}

        killed: list[float] = []

        def kill(done: int) -> None:
            if done == 300:
                os.kill(server.replicas()[0], signal.SIGKILL)
                killed.append(time.perf_counter())

        after = ask(server.url, thousand, 32, kill)
        failed = [one for one in after if one.status != 200]
        assert all(one.begun < killed[0] for one in failed), "a request was lost that the dead replica did not hold"
        assert len(failed) <= 32

        metrics = httpx.get(f"{server.url}metrics", headers=HEADERS).text
        assert 'evoray_serve_requests_total{path="/predict",status="401"} 1.0' in metrics
        assert server.stop(signal.SIGINT) == (0, [])


def test_sigterm_ends_it_as_well_and_json_says_where_it_is(run, pictures):
    with served(run.directory.location) as server:
        health = httpx.get(f"{server.url}health").json()
        assert health["member"] == "soup" and json.dumps(health)
        assert server.stop(signal.SIGTERM) == (0, [])


def test_texts_are_answered_as_the_run_did(tmp_path, monkeypatch):
    """Many at a time, so that a batch has texts of several lengths; one that is too long beside them."""
    monkeypatch.chdir(tmp_path)
    result, rows = texts(tmp_path)
    table, order = result.directory.read_table("predictions.parquet").to_pydict(), order_of_test(tmp_path / "run.toml")
    headers = HEADERS | {"Content-Type": "text/plain"}
    with (
        served(result.directory.location, "--member", "ensemble") as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        contents = [rows[at]["text"].encode() for at in order]
        asked = [pool.submit(client.post, "predict?top=2", content=one) for one in (*contents, b"great " * 60)]
        *found, long = [one.result() for one in asked]
        assert long.status_code == 422 and "tokens" in long.json()["error"]
        for response, classes, probabilities in zip(found, table["classes"], table["probabilities"], strict=True):
            given = {one["output"]: one["probability"] for one in response.json()["answers"][0]["classes"]}
            assert [given[at] for at in classes] == pytest.approx(probabilities, abs=1e-5)
        assert server.stop() == (0, [])
