from __future__ import annotations

import sys

import pytest

from evoray.backends import make_backend, registry
from evoray.backends.local import LocalBackend
from evoray.config import ComputeConfig
from evoray.errors import ConfigError

OWN = """
def make(compute):
    return ("mine", compute.workers)
"""


def test_a_backend_of_the_users_own_is_imported_from_the_configurations_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "user_backend.py").write_text(OWN)
    assert make_backend(ComputeConfig(backend="user_backend:make", workers=3), tmp_path) == ("mine", 3)
    with pytest.raises(ConfigError, match="no module user_absent"):
        make_backend(ComputeConfig(backend="user_absent:make"), tmp_path)


def test_the_configuration_reaches_the_backend(monkeypatch):
    asked = []
    monkeypatch.setitem(registry._BACKENDS, "local", lambda compute: asked.append(compute) or "a backend")
    compute = ComputeConfig(backend="local", workers=3)
    assert make_backend(compute) == "a backend" and asked == [compute]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_backend_is_closed_before_it_was_opened(workers):
    backend = make_backend(ComputeConfig(backend="local", workers=workers, device="cpu"))
    assert isinstance(backend, LocalBackend)
    backend.close()
    backend.close()
