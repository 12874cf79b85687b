from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace

import pytest

from evoray.begin import cluster
from evoray.begin.cluster import Cluster

NODES = ({"CPU": 8.0, "GPU": 1.0}, {"CPU": 4.0})


def answering(*nodes):
    return lambda *_, **__: SimpleNamespace(returncode=0, stdout=f"noise\n{json.dumps(nodes)}\n", stderr="")


def hanging(*_, **__):
    raise subprocess.TimeoutExpired("python", 1)


def failing(*_, **__):
    return SimpleNamespace(returncode=1, stdout="", stderr="ConnectionError")


def test_an_address_is_the_environments_or_that_of_a_cluster_started_here(tmp_path):
    assert cluster.address({"RAY_ADDRESS": "10.0.0.1:6379"}) == "10.0.0.1:6379"
    assert cluster.address({"RAY_TMPDIR": str(tmp_path)}) is None
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1\n")
    assert cluster.address({"RAY_TMPDIR": str(tmp_path)}) == "127.0.0.1:1"


def test_where_no_cluster_is_addressed_none_is_asked(tmp_path):
    def never(*_, **__):
        raise AssertionError

    assert cluster.look({"RAY_TMPDIR": str(tmp_path)}, never) is None


def test_a_cluster_tells_its_nodes():
    found = cluster.look({"RAY_ADDRESS": "a"}, answering(*NODES))
    assert found == Cluster("a", NODES) and found.words == "2 nodes, 12 cores, 1 GPUs"
    assert (found.holds(1, 0), found.holds(4, 0), found.holds(1, 1), found.holds(16, 0)) == (12, 3, 1, 0)


@pytest.mark.parametrize(("run", "why"), [(hanging, "within 20 s"), (failing, "does not answer")])
def test_a_cluster_that_does_not_answer_says_so(run, why):
    found = cluster.look({"RAY_ADDRESS": "a"}, run)
    assert found is not None and why in found.error and found.nodes == ()


def test_a_cluster_that_a_run_must_join_and_cannot_is_bad():
    lost = Cluster("a", error="does not answer")
    assert [one.level for one in cluster.ray(lost, {"RAY_ADDRESS": "a"})] == ["good", "bad"]
    assert [one.level for one in cluster.ray(lost, {})] == ["good", "attention"]
    assert [one.level for one in cluster.ray(None, {})] == ["good", "good"]
    assert [one.found for one in cluster.ray(Cluster("a", NODES), {})][1] == "a: 2 nodes, 12 cores, 1 GPUs"


def test_tokens_are_named_and_never_shown(tmp_path):
    (found,) = cluster.tokens({"RAY_AUTH_TOKEN": "secret", "HF_TOKEN": "other"}, tmp_path)
    assert found.found == "set: RAY_AUTH_TOKEN, HF_TOKEN" and "secret" not in str(found)
    (found,) = cluster.tokens({}, tmp_path)
    assert found.level == "good"


def test_token_mode_wants_a_token_that_others_cannot_read(tmp_path):
    mode = {"RAY_AUTH_MODE": "token"}
    (found,) = cluster.tokens(mode, tmp_path)
    assert found.level == "bad" and str(tmp_path) in found.found
    (tmp_path / ".ray").mkdir()
    token = tmp_path / ".ray" / "auth_token"
    token.write_text("secret")
    token.chmod(0o644)
    (found,) = cluster.tokens(mode, tmp_path)
    assert found.level == "attention" and "chmod 600" in found.remedy
    token.chmod(0o600)
    (found,) = cluster.tokens(mode, tmp_path)
    assert found.level == "good"
