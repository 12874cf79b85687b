from __future__ import annotations

import json
import zipfile

import pytest
import torch
from torch import nn

from evoray.errors import ConfigError, ModelError
from evoray.sharing import graphs
from evoray.sharing.network import Example, Pixels
from evoray.tasks.inputs import normalise

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


def example(side):
    images = torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Example(normalise(images, MEAN, STD, torch.float32), images, MEAN, STD)


class Named(nn.Module):
    """Its answer is a part of what it returns, as networks of segmentation and of transformers do."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)

    def forward(self, x):
        return {"aux": x, "logits": self.net(x)}


class Branches(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class OneSize(nn.Module):
    def forward(self, x):
        return x.reshape(3, -1)


def test_pt2_takes_any_number_and_gives_the_answer_alone(tmp_path):
    torch.manual_seed(0)
    network, inputs = graphs.Answer(Named()).eval(), torch.rand(3, 4)
    assert graphs.write_pt2(network, inputs, tmp_path / "m.pt2", {"a": [1]}) == 0
    extra = {"evoray.json": ""}
    read = torch.export.load(tmp_path / "m.pt2", extra_files=extra).module()
    for count in (1, 2, 5):
        some = torch.rand(count, 4)
        assert torch.equal(read(some), network(some))
    assert json.loads(extra["evoray.json"]) == {"a": [1]}
    with zipfile.ZipFile(tmp_path / "m.pt2") as archive:
        for name in archive.namelist():  # no line of this file is noted, nor the example kept
            assert __file__.encode() not in archive.read(name)
            assert not name.endswith("sample_inputs/model.pt") or not archive.read(name)


@pytest.mark.parametrize("network", [Branches(), OneSize()])
def test_what_no_graph_holds_is_said_with_what_fits(network, tmp_path):
    with pytest.raises(ModelError, match=r"cannot be written as \.pt2: torch\.export says .*Export it as safetensors"):
        graphs.write_pt2(network, torch.rand(3, 4), tmp_path / "m.pt2", {})


def test_other_answers_are_refused():
    network = nn.Linear(4, 2)
    with pytest.raises(ModelError, match=r"the \.onnx answers otherwise than the network, by 0\.01"):
        graphs._difference(network, lambda x: network(x) + 0.01, torch.rand(3, 4), ".onnx")
    with pytest.raises(ModelError, match="answers otherwise"):
        graphs._difference(network, lambda x: network(x) * float("nan"), torch.rand(3, 4), ".onnx")
    with pytest.raises(ModelError, match=r"answers with \[3\]"):
        graphs._difference(network, lambda x: network(x)[:, 0], torch.rand(3, 4), ".onnx")


def test_without_onnxscript_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"--format onnx: .*onnxscript.*evoray\[onnx\]"):
        graphs.write_onnx(nn.Identity(), torch.rand(3, 4), tmp_path / "m.onnx", {})


def test_pixels_are_for_images():
    whole = example(4)
    graph, inputs = graphs.graph_of(nn.Flatten(), whole, True)
    assert isinstance(graph, Pixels) and torch.equal(graph(inputs), whole.inputs.flatten(1))
    with pytest.raises(ModelError, match="no images"):
        graphs.graph_of(nn.Flatten(), Example(torch.rand(3, 4)), True)
    assert graphs.graph_of(nn.Linear(4, 2).double(), Example(torch.rand(3, 4)), False)[1].dtype == torch.float64


def families():
    import timm
    from torchvision import models

    torch.manual_seed(0)
    return {
        "resnet18": (models.resnet18(num_classes=5), 64),
        "mobilenet_v3_small": (models.mobilenet_v3_small(num_classes=5), 64),
        "efficientnet_b0": (models.efficientnet_b0(num_classes=5), 64),
        "vit": (timm.create_model("test_vit", num_classes=5), 160),
        "convnext": (timm.create_model("test_convnext", num_classes=5), 160),
        "segmentation": (models.segmentation.lraspp_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=3), 64),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "efficientnet_b0", "vit", "convnext", "segmentation"]
)
def test_families_in_both_graphs(name, pixels, tmp_path):
    import onnxruntime

    model, side = families()[name]
    graph, inputs = graphs.graph_of(model.eval(), example(side), pixels)
    assert graphs.write_pt2(graph, inputs, tmp_path / "m.pt2", {}) == 0
    graphs.write_onnx(graph, inputs, tmp_path / "m.onnx", {"evoray.task": "x"})
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    with torch.inference_mode():
        for some in (inputs, inputs[:1], torch.cat([inputs, inputs])):
            expected, found = graph(some), torch.from_numpy(session.run(None, {"input": some.numpy()})[0])
            assert torch.allclose(found, expected, atol=graphs.TOLERANCE * max(1, float(expected.abs().max())))
            assert bool((found.argmax(1) == expected.argmax(1)).float().mean() > 0.999)
