"""MLflow's own client reads back what was written into a store of its own: also of a run that was killed and went on.

One process does all: MLflow takes seconds to import and to make its store.
"""

from __future__ import annotations

import json

import pytest

from evoray.tracking.remote import NotTold, Remote


@pytest.fixture
def remote():
    made = Remote()
    made.start()
    yield made
    made.close()


def test_a_killed_run_goes_on_in_one_series(begin, finished, remote):
    finished.remove("population.parquet")  # no pictures: they have a test of their own

    def tell(first, last):
        for step in range(first, last + 1):
            remote.ask({"kind": "round", "step": step, "figures": {"children/best/nll": 1 / step, "workers": 2}})

    first = remote.ask(begin("mlflow", mode="offline"))
    tell(1, 3)
    request = begin("mlflow", mode="offline")
    request["beginning"]["known"] = {"id": first["id"], "delivered": 2}  # killed before it could say that 3 was told
    again = remote.ask(request)
    assert again == {**first, "delivered": 3}, "the store itself knows"
    tell(4, 5)
    remote.ask({"kind": "end", "step": 5, "error": None})

    (run,) = json.loads(remote.ask(begin("reading:MlflowReader"))["where"])
    assert (run["name"], run["status"]) == ("run", "FINISHED")
    assert run["metrics"]["children/best/nll"] == [[step, 1 / step] for step in range(1, 6)]
    assert run["metrics"]["test/soup/nll"][0][0] == 5
    assert run["params"] == {
        "mutation.sigma": "0.1",
        "search.children": "6",
        "mutation.antithetic": "False",
        "parent.name": "cnn",
    }
    assert run["tags"]["verdict"] == finished.read_json("summary.json")["verdict"] == run["tags"]["mlflow.note.content"]
    assert run["files"] == ["config.json", "lineage/best.json", "lineage/soup.json", "summary.json"]

    request["beginning"]["known"] = {"id": "0" * 32, "delivered": 5}  # of another store
    other = remote.ask(request)
    assert (other["id"] != first["id"], other["delivered"]) == (True, 0)


@pytest.mark.slow
def test_a_server_that_is_not_there_is_said(begin, remote):
    request = begin("mlflow", uri="http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(NotTold, match=r"127\.0\.0\.1"):
        remote.ask(request)
