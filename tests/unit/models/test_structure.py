"""Modules that cannot be exported as they are, told before anything is asked of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evoray.errors import ModelError
from evoray.models.structure import in_evaluation


def test_a_plain_module_is_put_into_evaluation_mode():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    assert in_evaluation(model, "x") is model
    assert not any(module.training for module in model.modules())


def test_a_train_that_returns_nothing_is_fine():
    class Frozen(nn.Linear):
        def train(self, mode=True):
            super().train(mode)

    assert isinstance(in_evaluation(Frozen(2, 2), "x"), Frozen)


class OptimizedModule(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self._orig_mod = inner


def test_a_compiled_network_is_the_one_that_was_compiled():
    inner = nn.Linear(2, 2)
    assert in_evaluation(OptimizedModule(inner), "x") is inner


def renames():
    class Renames(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(2, 2)

        def eval(self):
            self.fused = nn.Linear(2, 2)
            del self.first
            return super().eval()

    return Renames()


def half_a_state():
    model = nn.Linear(2, 2)
    model._register_state_dict_hook(lambda module, state, prefix, meta: state.__delitem__("bias"))
    return model


def renamed(**names):
    """A network whose state_dict has other names, by a hook as wrappers install them."""

    def hook(module, state, prefix, meta):
        for old, new in names.items():
            state[new] = state.pop(old)

    model = nn.Linear(2, 2)
    model._register_state_dict_hook(hook)
    return model


class Prefixed(nn.Linear):
    def state_dict(self, *args, **kwargs):
        return {f"model.{name}": value for name, value in super().state_dict(*args, **kwargs).items()}


def with_buffer(tensor):
    model = nn.Linear(2, 2)
    model.register_buffer("table", tensor)
    return model


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (renames, r"eval\(\) changes which tensors it has \(first\.bias\)"),
        (
            lambda: renamed(weight="kernel"),
            r"its state_dict\(\) calls weight kernel .*exports have the parameters' names",
        ),
        (lambda: renamed(bias="model.bias"), r"its state_dict\(\) calls bias model\.bias "),
        (lambda: Prefixed(2, 2), r"its state_dict\(\) calls weight model\.weight "),
        (half_a_state, r"its state_dict\(\) leaves out bias"),
        (lambda: nn.Sequential(OptimizedModule(nn.Linear(2, 2))), r"0 is compiled"),
        (lambda: nn.Sequential(nn.Embedding(2, 2, max_norm=2.0)), r"0 is an Embedding with max_norm"),
        (lambda: nn.EmbeddingBag(2, 2, max_norm=2.0), r"it is an EmbeddingBag with max_norm"),
        (lambda: nn.LazyLinear(2), r"weight is not initialised"),
        (lambda: nn.LazyBatchNorm1d(), r"weight is not initialised"),
        (lambda: with_buffer(torch.eye(2).to_sparse()), r"table is sparse"),
        (lambda: with_buffer(torch.empty(2, device="meta")), r"table is on the meta device"),
        (lambda: nn.Linear(2, 2, device="meta"), r"weight is on the meta device"),
    ],
)
def test_what_cannot_be_exported_is_refused(make, reason):
    with pytest.raises(ModelError, match=f"the parent x: {reason}.*[.] [A-Z].*"):
        in_evaluation(make(), "x")


@pytest.mark.slow  # TorchScript's compiler is loaded for seconds
@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused():
    with pytest.raises(ModelError, match="it is TorchScript"):
        in_evaluation(torch.jit.script(nn.Linear(2, 2)), "x")
