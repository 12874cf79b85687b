from __future__ import annotations

import pytest
import torch
from torch import nn

from evoray.evaluation import forward
from evoray.evaluation.forward import make_forward


def test_a_network_is_run_as_it_is_unless_more_is_asked_for():
    model = nn.Linear(3, 2)
    assert make_forward(model) is model


def test_a_compiled_network_is_compiled_for_one_shape(monkeypatch):
    asked = []
    monkeypatch.setattr(forward.torch, "compile", lambda model, **options: asked.append((model, options)) or "compiled")
    model = nn.Linear(3, 2)
    assert make_forward(model, compiled=True) == "compiled"
    assert asked == [(model, {"dynamic": False})]


@pytest.mark.gpu
def test_a_replayed_graph_takes_the_weights_that_lie_there_now():
    model = nn.Linear(64, 10).cuda().eval()
    batch = torch.randn(8, 64, device="cuda")
    with torch.inference_mode():
        run = make_forward(model, cuda_graphs=True)
        for _ in range(3):
            model.weight.normal_()
            batch.normal_()
            assert torch.equal(run(batch), model(batch))
