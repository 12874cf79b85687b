"""Experiment trackers: a file each, told what happens in a run by a process of its own, which cannot hold it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evoray.tracking.again import replay as replay

__all__ = ["replay"]


def __getattr__(name: str) -> Any:
    """Imported on first use: a tracker's process begins without it."""
    if name not in __all__:
        raise AttributeError(f"module 'evoray.tracking' has no attribute {name!r}")
    from evoray.tracking.again import replay

    return replay
