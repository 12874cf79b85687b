"""Ray that cannot be started or joined is one message; the rest of the module is tested on a real one."""

from __future__ import annotations

import pytest

from evoray.backends import ray as module
from evoray.config import ComputeConfig
from evoray.errors import BackendError


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
        BackendError, match=r'an embedded Ray could not be started .*compute\.backend = "local"'
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
