"""The order of first use, in networks that use their tensors in other ways than they list them."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
import torchvision.models
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from evoray.evaluation.kept.depth import Prices, first_use
from evoray.evaluation.kept.tape import record_network
from evoray.mutation import Entry, Recipe
from evoray.mutation.partition import PartitionConfig
from tests.unit.evaluation.kept.nets import CUTTABLE, NOT, worker


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


def names_in_order(model, x, names=None):
    names = names or sorted(name for name, _ in model.named_parameters())
    found = first_use(model.eval(), names, lambda: model(x))
    assert sorted(found.order) == list(range(len(names)))
    return [names[number] for number in found.order], found


def test_layers_come_as_they_are_used_and_spare_ones_last():
    order, found = names_in_order(Backwards(), torch.ones(1, 1, 4))
    assert order == ["c.weight", "c.bias", "b.weight", "a.weight", "a.bias", "spare.bias", "spare.weight"]
    assert found.used == 5


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


def prices(model, x, use=None):
    names = sorted(name for name, _ in model.named_parameters())
    once = use or (lambda network: network(x.clone()))
    return Prices(model.eval(), names, lambda owner: record_network(model, once, owner))


def test_the_share_of_the_pass_behind_each_tensor():
    """Three products of 4 x 4 by 4: before the first there is all, before the last a third."""
    model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(3)))
    assert list(prices(model, torch.ones(1, 4))) == pytest.approx([1, 2 / 3, 1 / 3])
    assert list(prices(Backwards(), torch.ones(1, 1, 4)))[-2:] == [0, 0]


@pytest.mark.parametrize(
    "use",
    [
        lambda network: network(torch.ones(1, 4)) if network(torch.ones(1, 4)).sum() > 1e9 else None,
        lambda network: [network(torch.ones(1, 4)) for _ in range(2)],
        lambda network: None,
    ],
)
def test_where_nothing_can_be_kept_every_child_costs_a_pass(use):
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)))
    assert list(prices(model, torch.ones(1, 4))) != [1.0] * 6

    class Branches(nn.Sequential):
        def forward(self, x):
            x = self[1](self[0](x))
            return self[2](x) if x.sum().item() > 0 else x

    assert list(prices(Branches(*model), torch.ones(1, 4))) == [1.0] * 6
    if use(lambda x: x) is not None:
        assert list(prices(model, None, use)) == [1.0] * 6


@pytest.mark.parametrize("kind", [*CUTTABLE, *NOT])
def test_prices_are_what_the_keeper_runs(kind):
    """Children of each tensor and all behind it, on a worker of that network, kept or not."""
    on = worker(kind, ("*",), keep_activations="auto")
    space, keeper = on.host.space, on.keeper
    batch = next(iter(on.prepared("select", 0).batches))
    found = prices(kind_of(kind), batch.inputs[:1])
    assert len(found) == len(space.tensors)
    for number in range(len(space.tensors)):
        part = keeper.part([(Entry(1.0, Only(number=number)),)], lambda: batch)
        if NOT.get(kind) != "other bits":  # that is found on workers alone
            assert found[number] == (part.share if part else 1.0)


def kind_of(kind):
    torch.manual_seed(0)
    return kind()


class Only(Recipe):
    """Of one tensor."""

    Section = PartitionConfig
    kind: str = "only"
    number: int

    @classmethod
    def draw(cls, config, sigma, seed, generation, child):
        raise NotImplementedError

    at_most = delta = draw

    def tensors(self, space):
        return [self.number]


ORDERS = {
    "alexnet": "38bac47653f11cac",
    "vgg11_bn": "f1aaa24e7a94ba5d",
    "resnet18": "364f5232012b4e62",
    "resnext50_32x4d": "1dc8cb5ff8332195",
    "wide_resnet50_2": "1dc8cb5ff8332195",
    "densenet121": "d04226b21ba63d3b",
    "googlenet": "aa890e8d12b7c1a6",
    "inception_v3": "ce5f69c78ea898c1",
    "mobilenet_v2": "1208fc8ca782a7bc",
    "mobilenet_v3_small": "2b95760e2fc10743",
    "shufflenet_v2_x0_5": "5575705a7b8816bb",
    "efficientnet_b0": "bc08ae6dc024cd94",
    "regnet_y_400mf": "a51f081612d162bc",
    "convnext_tiny": "38dd68de2e25a677",
    "vit_b_16": "802a9c6cdd126521",
    "swin_t": "e754d25283a9885c",
    "maxvit_t": "8aac7c507b0e9aed",
    "squeezenet1_1": "63d973c0dcc5048c",
    "mnasnet0_5": "9a6e4e8694900af7",
}
"""SHA-256 (its beginning) of the order that runs of each family of the contracts have on record."""
OPTIONS = {
    "vit_b_16": {"image_size": 32},
    "googlenet": {"init_weights": False, "aux_logits": False},
    "inception_v3": {"init_weights": False, "aux_logits": False},
}
SIZES = {"alexnet": 64, "inception_v3": 75, "maxvit_t": 224}
MANY = ("alexnet", "vgg11_bn", "wide_resnet50_2", "vit_b_16", "maxvit_t", "inception_v3", "swin_t")


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow if one in MANY else ()) for one in ORDERS])
def test_the_order_of_a_family_is_the_one_on_record(name):
    """Values do not matter, so most are never drawn."""
    if name in ("regnet_y_400mf", "swin_t", "maxvit_t"):  # they compute with what they make
        model = getattr(torchvision.models, name)(weights=None)
    else:
        with torch.device("meta"):
            model = getattr(torchvision.models, name)(weights=None, **OPTIONS.get(name, {}))
        model = model.to_empty(device="cpu")
    names = sorted((one for one, _ in model.named_parameters()), key=str.encode)
    size = SIZES.get(name, 32)
    found = first_use(model.eval(), names, lambda: model(torch.zeros(1, 3, size, size)))
    assert hashlib.sha256(json.dumps(found.order).encode()).hexdigest().startswith(ORDERS[name])
    assert found.used == len(names)


def test_the_pass_leaves_the_network_as_it_was():
    model = Backwards().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    expected = model(torch.ones(1, 1, 4))
    names_in_order(model, torch.ones(1, 1, 4))
    prices(model, torch.ones(1, 1, 4))
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
