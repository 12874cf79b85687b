"""What is said before a run of how its images were made, where the parent asks for something else."""

from __future__ import annotations

from evoray.data.splits import Splits
from evoray.data.transform import ImageTransform
from evoray.models import Parent, Preprocessing


def transform_notes(parent: Parent, splits: Splits) -> list[str]:
    """A sentence where the shards' transform is not the parent's own; none where either says nothing of it."""
    transform = getattr(getattr(splits.datasets["select"], "manifest", None), "transform", None)
    if not isinstance(transform, ImageTransform):
        return []
    differences = _differences(parent.preprocessing, transform)
    if not differences:
        return []
    return [
        f"the images are not as the parent {parent.name} expects them: {', '.join(differences)}. Its scores may be "
        "lower than published ones; evoray data ingest --for CONFIG.toml takes its own transform"
    ]


def _differences(own: Preprocessing, shards: ImageTransform) -> list[str]:
    """Steps that differ, the shards' first. A parent without ``resize`` says nothing of sizes or interpolation."""
    if own.resize is None and own.crop is None:
        return []
    steps = {
        "resize": (shards.resize, own.resize),
        "crop": (shards.crop, own.crop),
        "interpolation": (shards.interpolation, own.interpolation),
        "antialias": (shards.antialias, own.antialias),
        "channels": (shards.channels, own.channels),
    }
    if shards.resize is None:  # nothing was resized: how says nothing
        del steps["interpolation"], steps["antialias"]
    return [
        f"{step} {_shown(ours)} (its own: {_shown(its)})"
        for step, (ours, its) in steps.items()
        if its is not None and ours != its
    ]


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
