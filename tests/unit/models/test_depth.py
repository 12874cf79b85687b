"""The order of first use, in networks that use their tensors in other ways than they list them."""

from __future__ import annotations

import pytest
import torch
import torchvision.models
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from evoray.models.depth import first_use


class Backwards(nn.Module):
    """Uses its layers from the last to the first, the head twice, and one layer never."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4, bias=False)
        self.c = nn.Conv1d(1, 1, 3, padding=1)
        self.spare = nn.Linear(4, 4)

    def forward(self, x):
        return self.a(self.b(self.a(self.c(x)))) if self.training else self.b(self.a(self.b(self.c(x))))


class Tied(nn.Module):
    """``second.weight`` is ``first.weight``, and is used last and first."""

    def __init__(self):
        super().__init__()
        self.first, self.between, self.second = (nn.Linear(4, 4, bias=False) for _ in range(3))
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.first(self.between(self.second(x)))


class Views(nn.Module):
    """Reaches its weights through slices, transposes, another shape, another type, and ``.data``."""

    def __init__(self):
        super().__init__()
        self.z, self.y, self.x, self.w, self.v = (nn.Parameter(torch.ones(4, 4)) for _ in range(5))

    def forward(self, x):
        x = x @ self.z[:2].repeat(2, 1) @ self.y.t()
        x = functional.linear(x, self.x.view(2, 2, 4).reshape(4, 4))
        return x @ self.w.double().float() @ self.v.data


class OneMemory(nn.Module):
    """Two parameters that are views of one tensor, as flattened weights are."""

    def __init__(self):
        super().__init__()
        whole = torch.ones(32)
        self.left, self.right = nn.Parameter(whole[:16].view(4, 4)), nn.Parameter(whole[16:].view(4, 4))

    def forward(self, x):
        return x @ self.right @ self.left


def names_in_order(model, x, names=None, **options):
    names = names or sorted(name for name, _ in model.named_parameters())
    found = first_use(model.eval(), names, lambda: model(x), **options)
    assert sorted(found.order) == list(range(len(names)))
    return [names[number] for number in found.order], found


def test_layers_come_as_they_are_used_and_spare_ones_last():
    order, found = names_in_order(Backwards(), torch.ones(1, 1, 4))
    assert order == ["c.weight", "c.bias", "b.weight", "a.weight", "a.bias", "spare.bias", "spare.weight"]
    assert (found.used, found.behind) == (5, (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0))


def test_a_tied_weight_counts_where_any_of_its_names_is_used():
    assert names_in_order(Tied(), torch.ones(1, 4))[0] == ["first.weight", "between.weight"]


def test_views_of_a_weight_are_the_weight():
    assert names_in_order(Views(), torch.ones(1, 4))[0] == ["z", "y", "x", "w", "v"]


def test_weights_that_share_memory_are_told_apart():
    assert names_in_order(OneMemory(), torch.ones(1, 4))[0] == ["right", "left"]


def test_weights_that_are_computed_of_others_are_those():
    model = nn.Sequential(nn.Linear(4, 4), parametrizations.weight_norm(nn.Linear(4, 4)))
    order, _ = names_in_order(model, torch.ones(1, 4))
    assert set(order[:2]) == {"0.weight", "0.bias"} and order[-1] == "1.bias"


def test_a_recurrent_network():
    order, _ = names_in_order(nn.LSTM(4, 4, 2, batch_first=True), torch.ones(1, 3, 4))
    assert {name[-2:] for name in order[:4]} == {"l0"} and {name[-2:] for name in order[4:]} == {"l1"}


@pytest.mark.parametrize("grad", [True, False])
def test_the_steps_of_a_fused_layer_are_seen_one_by_one(grad):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).requires_grad_(grad)
    order, _ = names_in_order(layer, torch.ones(1, 3, 8))
    kinds = list(dict.fromkeys(name.rpartition(".")[0] for name in order))
    assert kinds == ["self_attn", "self_attn.out_proj", "norm1", "linear1", "linear2", "norm2"]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_a_network_of_layers_in_a_row_is_in_its_own_order(name):
    model = getattr(torchvision.models, name)(weights=None)
    own = [one for one, _ in model.named_parameters()]
    order, found = names_in_order(model, torch.zeros(1, 3, 64, 64))
    assert (order, found.used) == (own, len(own))
    some = own[7:40:3]
    assert names_in_order(model, torch.zeros(1, 3, 64, 64), sorted(some))[0] == some


def test_the_share_of_the_pass_behind_each_tensor():
    """Three products of 4 x 4 by 4: before the first there is all, before the last a third."""
    model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(3)))
    order, found = names_in_order(model, torch.ones(1, 4), flops=True)
    assert order == ["0.weight", "1.weight", "2.weight"]
    assert found.behind == pytest.approx((1, 2 / 3, 1 / 3))
    assert names_in_order(Backwards(), torch.ones(1, 1, 4), flops=True)[1].behind[-2:] == (0, 0)


def test_the_pass_leaves_the_network_as_it_was():
    model = Backwards().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    expected = model(torch.ones(1, 1, 4))
    names_in_order(model, torch.ones(1, 1, 4), flops=True)
    assert torch.equal(model(torch.ones(1, 1, 4)), expected) and expected.requires_grad
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_tensors_without_memory_are_nobodys():
    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(4, 4))

        def forward(self, x):
            return torch.sparse.mm(torch.eye(4).to_sparse(), x.t() + 0 * torch.ones(0).sum()).t() @ self.w

    assert names_in_order(Sparse(), torch.ones(1, 4))[1].used == 1
