"""Ray that cannot be started or joined is one message; the rest of the module is tested on a real one."""

from __future__ import annotations

import os

import pytest

from evoray.backends import patience
from evoray.backends import ray as module
from evoray.backends.patience import LONGER_S, VARIABLE
from evoray.begin.cluster import look
from evoray.config import ComputeConfig
from evoray.errors import BackendError, NotStartedError


@pytest.fixture
def failing(monkeypatch):
    def fail_with(error):
        def init(**_):
            raise error

        monkeypatch.setattr(module.ray, "init", init)
        monkeypatch.setattr(module.ray, "is_initialized", lambda: False)
        monkeypatch.setattr(module.ray, "shutdown", lambda: None)

    return fail_with


@pytest.mark.parametrize(
    "error",
    [
        Exception("The current node timed out during startup.\nSome of the raylet failed."),
        ConnectionError("nobody"),
        RuntimeError("Failed to start the GCS"),
        PermissionError(13, "Permission denied", "/tmp/ray"),
        OSError(28, "No space left on device"),
        ValueError("The length of the path of a socket"),
        TimeoutError(),
    ],
)
def test_an_embedded_one_that_cannot_start(failing, monkeypatch, error):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(module, "CLUSTER_FILE", "/nowhere/ray_current_cluster")
    failing(error)
    with pytest.raises(
        NotStartedError, match=r'an embedded Ray could not be started .*Try again, or set compute\.backend = "local"'
    ) as raised:
        module.connect(ComputeConfig())
    assert "\n" not in str(raised.value)


def test_a_cluster_of_another_version(failing, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "there:6379")
    failing(RuntimeError("Version mismatch: The cluster was started with Ray 1.0"))
    with pytest.raises(BackendError, match=r"the Ray cluster could not be joined \(.*Version mismatch"):
        module.connect(ComputeConfig())


def test_a_cluster_that_does_not_answer(failing, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "there:6379")
    failing(ConnectionError("nobody"))
    with pytest.raises(BackendError, match="RAY_ADDRESS = there:6379: no Ray cluster answers there"):
        module.connect(ComputeConfig())


@pytest.mark.parametrize(("failures", "tries"), [(0, 1), (1, 2), (2, 2)])
def test_a_node_that_is_slow_is_waited_for_a_second_time_and_longer(monkeypatch, failures, tries):
    """Ray asks for its node again and again: by itself for 30 s, the second time for as long as it is told."""
    monkeypatch.setattr(module, "CLUSTER_FILE", "/nowhere/ray_current_cluster")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(module.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(module.ray, "shutdown", lambda: None)
    asked, waits = [], []

    def no_node(*_):
        asked.append(len(waits))
        if len(asked) % 3:
            raise RuntimeError("no node info yet")
        return "the node"

    services = module.ray._private.services
    monkeypatch.setattr(services, "get_node", no_node)
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)

    def init(**how):
        assert how["address"] == "local"
        waits.append(os.environ.get(VARIABLE))
        if len(waits) == 2:
            asked.clear()
            assert services.get_node("gcs", "id") == "the node" and len(asked) == 3
        if len(waits) <= failures:
            raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(module.ray, "init", init)
    if failures == 2:
        with pytest.raises(NotStartedError):
            module.connect(ComputeConfig())
    else:
        assert module.connect(ComputeConfig()) is True
    assert waits == [None, str(int(LONGER_S))][:tries]
    assert services.get_node is no_node and VARIABLE not in os.environ


@pytest.mark.slow
def test_a_cluster_that_runs_is_seen_from_another_process(embedded_ray):
    """As ``evoray doctor`` and ``check`` ask: they join it, and start none."""
    embedded_ray()
    address = module.ray.get_runtime_context().gcs_address
    found = look({**os.environ, "RAY_ADDRESS": address}, seconds=120)
    assert found is not None and found.error == "" and found.total("CPU") >= 6
    assert look({**os.environ, "RAY_ADDRESS": "127.0.0.1:1"}, seconds=5).error


def test_a_worker_that_is_gone_already_is_stopped_without_a_word():
    module.RayFleet().stop(3)
