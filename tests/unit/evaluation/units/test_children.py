"""What a model raises on a worker is said with its remedy."""

from __future__ import annotations

import pytest
import torch

from evoray.errors import EvaluationError
from evoray.evaluation.units.children import blamed


def test_a_view_of_channels_last_names_the_layout() -> None:
    images = torch.zeros(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    with (
        pytest.raises(EvaluationError, match=r'child c on shard 0 of select: .*compute\.layout = "contiguous"'),
        blamed("c", "select", 0),
    ):
        images.view(2, -1)


def test_anything_else_names_child_and_shard_and_the_line() -> None:
    said = r"child c on shard 0 of select: ValueError: odd \(.*/test_children\.py, line \d+: raise .*\)\. The model or"
    with (
        pytest.raises(EvaluationError, match=said),
        blamed("c", "select", 0),
    ):
        raise ValueError("odd")
