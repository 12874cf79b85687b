from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from evoray.begin.init import architectures
from evoray.begin.init.architectures import Match, Unmatched, channels_of, head_of, match
from evoray.errors import ModelError
from evoray.models.small import cnn


@pytest.fixture(scope="module")
def state():
    """Of a small architecture with three classes of its own."""
    return models.shufflenet_v2_x0_5(num_classes=3).state_dict()


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5-mine.pth", "epoch3.pth"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_checkpoint_is_known_by_its_tensors(tmp_path, state, name, wrapped):
    content = {"state_dict": {f"module.{key}": one for key, one in state.items()}, "epoch": 3} if wrapped else state
    torch.save(content, tmp_path / name)
    found = match(tmp_path / name)
    assert isinstance(found, Match)
    assert (found.source, found.name, found.outputs, found.channels) == ("torchvision", "shufflenet_v2_x0_5", 3, 3)


def test_a_name_in_the_file_s_name_is_a_hint_alone(tmp_path, state):
    torch.save(state, tmp_path / "resnet18.pth")
    assert match(tmp_path / "resnet18.pth").name == "shufflenet_v2_x0_5"


def test_the_demo_s_own_network_is_known(tmp_path):
    torch.save(cnn().model.state_dict(), tmp_path / "a.pth")
    found = match(tmp_path / "a.pth")
    assert (found.source, found.name, found.channels) == ("module", "evoray.models.small:cnn", 1)


def test_of_several_networks_that_fit_all_are_named(tmp_path, state):
    other = {key: one + 1 if one.is_floating_point() else one for key, one in state.items()}
    torch.save({"student": state, "teacher": other}, tmp_path / "a.pth")
    assert match(tmp_path / "a.pth").keys == ("student", "teacher")


def test_a_network_of_no_library_is_described(tmp_path, monkeypatch):
    monkeypatch.setattr(architectures, "_timm", list)  # its import takes seconds
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(8, 5))
    torch.save(net.state_dict(), tmp_path / "a.pth")
    found = match(tmp_path / "a.pth")
    assert found == Unmatched(4, 8 * 9 + 8 + 40 + 5, ("0.weight", "2.bias"), 5, 1)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "a.pth").write_text("hello")
    with pytest.raises(ModelError, match="not a checkpoint"):
        match(tmp_path / "a.pth")
    torch.save({"epoch": 3}, tmp_path / "b.pth")
    with pytest.raises(ModelError, match="holds no state_dict"):
        match(tmp_path / "b.pth")


def test_a_state_s_ends_are_its_last_matrix_and_its_first_convolution():
    assert head_of({"a": torch.zeros(3, 4), "b": torch.zeros(2, 5), "c": torch.zeros(2)}) == (2, 5)
    assert head_of({}) == (None, 0)
    assert [channels_of({"a": torch.zeros(8, count, 3, 3)}) for count in (1, 3, 4)] == [1, 3, 3]
