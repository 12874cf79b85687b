"""Everything here needs a CUDA device: ``uv run pytest -m gpu tests/gpu -s``. It fails where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True)
def needs_cuda():
    assert torch.cuda.is_available(), "no CUDA device: these tests are for a machine with one"
