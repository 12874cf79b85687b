"""Names to backends: those that come with EvoRay, and a user's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from evoray.backends.base import Backend
from evoray.runtime.importing import import_function

if TYPE_CHECKING:
    from evoray.config import ComputeConfig


def _local(compute: ComputeConfig) -> Backend:
    from evoray.backends.local import LocalBackend

    return LocalBackend(compute)


def _ray(compute: ComputeConfig) -> Backend:
    from evoray.backends.ray import RayBackend

    return RayBackend(compute)


_BACKENDS: dict[str, Callable[[ComputeConfig], Backend]] = {"local": _local, "ray": _ray}


def make_backend(compute: ComputeConfig, config_dir: Path | None = None) -> Backend:
    """The backend that ``compute.backend`` names, connected, and not opened for a source yet.

    Args:
        config_dir: from where ``package.module:make`` may be imported; ``make`` is given ``compute``.

    Raises:
        ConfigError: no such module or function.
    """
    if compute.backend in _BACKENDS:
        return _BACKENDS[compute.backend](compute)
    backend: Backend = import_function(compute.backend, config_dir)(compute)
    return backend
