"""Names to backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from evoray.backends.base import Backend

if TYPE_CHECKING:
    from evoray.config import ComputeConfig


def _local(compute: ComputeConfig) -> Backend:
    from evoray.backends.local import LocalBackend

    return LocalBackend(compute)


def _ray(compute: ComputeConfig) -> Backend:
    from evoray.backends.ray import RayBackend

    return RayBackend(compute)


_BACKENDS: dict[str, Callable[[ComputeConfig], Backend]] = {"local": _local, "ray": _ray}


def make_backend(compute: ComputeConfig) -> Backend:
    """The backend that ``compute.backend`` names, connected but without a model yet."""
    return _BACKENDS[compute.backend](compute)
