from __future__ import annotations

import pytest
import torch

from evoray.evaluation.accelerator import KINDS
from tests.unit.evaluation.stand_in import StandIn


@pytest.fixture
def put_in_place(monkeypatch):
    """Makes a stand-in the accelerator of the CPU from here on."""

    def put(**how):
        one = StandIn(**how)
        monkeypatch.setitem(KINDS, "cpu", lambda device: one)
        monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: one.pin(tensor))
        return one

    return put


@pytest.fixture
def stand_in(put_in_place):
    return put_in_place()
