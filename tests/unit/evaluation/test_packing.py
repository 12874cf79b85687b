"""Models travel whole: tied tensors, buffers and types; what was packed is never written."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from evoray.config.resolve import Facts, resolve
from evoray.demo import demo_config
from evoray.evaluation.packing import (
    EvaluatorSource,
    pack_model,
    packed_bulk,
    travelled,
    unpack_model,
    with_towards,
)
from evoray.search.inputs import check_inputs
from evoray.search.workers import make_program


class Silent(nn.Linear):
    def train(self, mode=True):
        super().train(mode)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6, bias=False)
        self.second = nn.Linear(6, 6, bias=False)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(6).to(torch.bfloat16)
        self.activation = lambda x: x * 2


def test_round_trip_keeps_every_tensor_and_ties():
    model = Tied()
    back = unpack_model(pickle.loads(pickle.dumps(pack_model(model))))
    assert back.second.weight is back.first.weight
    for name, tensor in model.state_dict().items():
        other = back.state_dict()[name]
        assert other.dtype == tensor.dtype
        assert torch.equal(other, tensor)
    assert back.activation(3) == 6
    assert not back.training


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), ()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64, torch.bool])
def test_tensors_without_elements_travel(shape, dtype):
    model = nn.Linear(2, 2)
    model.register_buffer("statistics", torch.zeros(shape, dtype=dtype))
    model.register_parameter("extra", nn.Parameter(torch.zeros(shape)))
    back = unpack_model(pack_model(model))
    assert back.statistics.shape == shape and back.statistics.dtype == dtype
    assert back.extra.shape == shape and isinstance(back.extra, nn.Parameter)


def test_the_packed_buffer_is_never_written():
    packed = pack_model(nn.Linear(4, 4))
    packed.flat.setflags(write=False)
    before = packed.digest()
    unpack_model(packed).weight.data.add_(1.0)
    assert packed.digest() == before


def test_the_digest_is_of_the_weights():
    model = nn.Linear(4, 4)
    other = copy.deepcopy(model)
    assert pack_model(model).digest() == pack_model(other).digest()
    other.weight.data.view(-1).numpy()[3] = np.nextafter(other.weight.data.view(-1).numpy()[3], np.float32(9))
    assert pack_model(model).digest() != pack_model(other).digest()


def program_of(parent_file, **changes):
    config = demo_config(0, parent_file, "local")
    compute = config.compute.model_copy(update={"threads_per_worker": 1, "device": "cpu", **changes})
    inputs = check_inputs(config.model_copy(update={"compute": compute}), None)
    return make_program(inputs, resolve(inputs.config, Facts(has_gpu=False)))


def test_equal_programs_have_one_key(parent_file):
    key = EvaluatorSource(program_of(parent_file), "p").key
    assert EvaluatorSource(program_of(parent_file), "p").key == key
    assert EvaluatorSource(program_of(parent_file), "q").key != key
    assert EvaluatorSource(program_of(parent_file, batch_size=32), "p").key != key


@pytest.mark.parametrize("make", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_parametrized_modules_travel(make):
    """PyTorch refuses to pickle them, since their classes are made as they are used."""
    torch.manual_seed(0)
    model = nn.Sequential(make(nn.Linear(3, 3)), make(nn.Conv2d(1, 2, 3))).eval()
    found = unpack_model(pack_model(model))
    assert found.state_dict().keys() == model.state_dict().keys()
    x = torch.randn(2, 3)
    with torch.no_grad():
        assert torch.equal(found[0](x), model[0](x))
        for parameter in found.parameters():
            parameter.mul_(2)
        assert not torch.equal(found[0].weight, model[0].weight) or make is parametrizations.spectral_norm
    assert parametrize.is_parametrized(found[1], "weight")


def test_a_train_that_returns_nothing_is_fine():
    assert isinstance(unpack_model(pack_model(Silent(3, 2))), Silent)


@pytest.mark.parametrize("model", [Tied(), nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))], ids=["tied", "plain"])
def test_a_travelled_copy_is_the_one_that_a_worker_unpacks(model):
    copied, back = travelled(model), unpack_model(pack_model(model))
    assert list(copied.state_dict()) == list(back.state_dict()) and not copied.training
    others = back.state_dict(keep_vars=True)
    for name, own in copied.state_dict(keep_vars=True).items():
        other = others[name]
        assert type(own) is type(other) and own.dtype == other.dtype and own.requires_grad == other.requires_grad
        assert torch.equal(own, other) and own.stride() == other.stride(), name
        assert own.data_ptr() != model.state_dict()[name].data_ptr()
    assert len({one.data_ptr() for one in copied.parameters()}) == len({one.data_ptr() for one in back.parameters()})


def test_parameters_that_share_memory_do_not_when_they_have_travelled():
    model = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
    model[1].weight = nn.Parameter(model[0].weight.data.T)
    copied = travelled(model)
    assert torch.equal(copied[1].weight, model[1].weight) and copied[1].weight.is_contiguous()
    assert copied[0].weight.data_ptr() != copied[1].weight.data_ptr()


def test_what_cannot_be_sent_cannot_travel():
    class Own(torch.Tensor):
        pass

    model = nn.Linear(2, 2)
    model.register_buffer("other", torch.zeros(2, dtype=torch.complex64).conj())
    model.table = torch.zeros(2).as_subclass(Own)
    for way in (lambda: unpack_model(pack_model(model)), lambda: travelled(model)):
        with pytest.raises(RuntimeError):
            way()


def test_differences_of_checkpoints_travel_with_the_model_and_count():
    plain = packed_bulk(nn.Linear(3, 2))
    ones, twos = (with_towards(plain, np.full((2, 8), value, dtype=np.float32)) for value in (1, 2))
    assert len({plain.key, ones.key, twos.key}) == 3
    assert ones.nbytes == plain.nbytes + 64
    assert (pickle.loads(pickle.dumps(ones.value)).towards == 1).all() and plain.value.towards is None
