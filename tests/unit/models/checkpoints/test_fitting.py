"""Names of a file find names of a model: wrappers' prefixes, old names, ties, what may be missing or left over."""

from __future__ import annotations

import copy

import pytest
import torch
from checkpoints import Net, Tied, prefixed, same, state
from torch import nn

from evoray.errors import ModelError
from evoray.models import load_into
from evoray.models.checkpoints.fitting import choose, install, said, tied_names

STATE = state(1)
TRACKED = "bn.num_batches_tracked"


def loaded(model, tensors):
    """The line for the user."""
    chosen = choose(model, tensors, None, "file")
    install(model, chosen, "file")
    return said(chosen, tensors, None, "file")


PREFIXES = (
    "module.", "_orig_mod.", "model.", "backbone.", "net.", "encoder.", "network.", "0.", "module._orig_mod.",
    "_orig_mod.module.", "model.backbone.", "model.model.", "student.", "module.module.", "_forward_module.", "resnet.",
    "_fsdp_wrapped_module.", "0.module.", "teacher.backbone.", "learner.model.", "x.y.z.w.",
)  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_wraps_a_network_is_taken_off_its_names(prefix):
    model = Net()
    line = loaded(model, prefixed(prefix, STATE))
    assert same(model, STATE) and line == f'file: stripped "{prefix}"'


@pytest.mark.parametrize("prefix", PREFIXES[:6])
def test_a_model_with_that_prefix_of_its_own_keeps_it(prefix):
    model = nn.ModuleDict()
    inner = model
    for part in prefix.strip(".").split("."):
        inner[part] = nn.ModuleDict()
        inner = inner[part]
    inner["net"] = Net()
    tensors = prefixed(f"{prefix}net.", STATE)
    assert loaded(model, tensors) is None and same(model, tensors)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({name.replace("conv.", "conv._orig_mod."): one for name, one in STATE.items()}, '"_orig_mod" inside names'),
        ({f"module.{name.replace('fc.', 'fc.module.')}": one for name, one in STATE.items()}, '"module" inside names'),
        ({name.replace(".", "._fsdp_wrapped_module."): one for name, one in STATE.items()}, "_fsdp_wrapped_module"),
        ({f"net.{name.replace('bn.', 'bn._checkpoint_wrapped_module.')}": one for name, one in STATE.items()},
         'stripped "net."'),
    ],
)  # fmt: skip
def test_wrappers_inside_names_are_taken_off(tensors, words):
    model = Net()
    assert words in loaded(model, tensors) and same(model, STATE)


@pytest.mark.parametrize(
    ("more", "ignored"),
    [
        ({"total_ops": torch.zeros(1), "total_params": torch.zeros(1), "conv.total_ops": torch.zeros(1)},
         "ignored total_ops, total_params, *.total_ops"),
        ({"n_averaged": torch.tensor(3)}, "ignored n_averaged"),
        ({"conv.num_batches_tracked": torch.tensor(3)}, "ignored *.num_batches_tracked"),
    ],
)  # fmt: skip
def test_counters_of_other_programs_are_left_out(more, ignored):
    model = Net()
    assert ignored in loaded(model, STATE | more) and same(model, STATE)


OUTSIDE = ("criterion.weight", "loss_fn.pos_weight", "head.weight", "train_acc.tp", "normalize.mean")


@pytest.mark.parametrize("outside", OUTSIDE)
def test_what_lies_beside_a_wrapped_network_is_left_out_and_said(outside):
    model = Net()
    line = loaded(model, prefixed("model.", STATE) | {outside: torch.zeros(2)})
    assert f"ignored {outside}" in line and same(model, STATE)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_counters_of_batches_may_be_missing(prefix):
    """As torch does for files from before they were kept."""
    model = Net()
    fresh = model.state_dict()[TRACKED].clone()
    line = loaded(model, prefixed(prefix, {name: one for name, one in STATE.items() if name != TRACKED}))
    assert "without *.num_batches_tracked" in line and same(model, STATE | {TRACKED: fresh})


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({name: one for name, one in STATE.items() if name != "fc.bias"}, "missing fc.bias"),
        (STATE | {"fc.2.weight": torch.zeros(2)}, "unexpected fc.2.weight"),
        (prefixed("module.", STATE | {"fc.2.weight": torch.zeros(2)}), "unexpected module.fc.2.weight"),
        (STATE | prefixed("ema.", STATE), "unexpected ema.conv.weight"),
        (STATE | {"conv.weight": torch.zeros(2, 1, 3, 3)}, r"conv.weight is \(2, 1, 3, 3\), the model's is \(2, 3"),
        (STATE | {"conv.weight": torch.zeros(5, 3, 3, 3), "conv.bias": torch.zeros(4)}, "conv.weight is"),
        ({f"{name}x": one for name, one in STATE.items()}, "missing conv.weight"),
        ({"a": torch.zeros(1)}, "missing conv.weight"),
        (prefixed("\x1b[31m", STATE), r"unexpected \\x1b\[31mconv.weight"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tensors, words):
    with pytest.raises(ModelError, match=rf"^file: does not fit the model: .*{words}.*Name the architecture"):
        loaded(Net(), tensors)


def test_a_head_of_another_size_is_named_with_both():
    chosen = choose(Net(4), state(1, classes=10), None, "file")
    assert chosen.fit.head == (10, 4)
    with pytest.raises(ModelError, match=r"its head has 10 outputs, the model's 4 .*parent\.classes = 10"):
        install(Net(4), chosen, "file")


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.optim.swa_utils.AveragedModel])
def test_the_wrappers_of_torch_themselves(wrap):
    inner = Net()
    load_into(inner, STATE, "file")
    model = Net()
    loaded(model, wrap(inner).state_dict())
    assert same(model, STATE)


# ---------------------------------------------------------------- types


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_become_the_models(kind):
    model = Net()
    tensors = {name: one.to(kind) if one.is_floating_point() else one for name, one in STATE.items()}
    loaded(model, tensors)
    assert same(model, {name: tensors[name].to(STATE[name].dtype) for name in STATE})


@pytest.mark.parametrize(
    ("name", "tensor", "value"),
    [
        (TRACKED, torch.tensor([7]), 7),
        (TRACKED, torch.tensor(7, dtype=torch.int32), 7),
        (TRACKED, torch.tensor(7.5), 7),
        ("fc.bias", torch.tensor([True, False, True, True]), [1.0, 0.0, 1.0, 1.0]),
        ("fc.bias", torch.tensor([1, 2, 3, 4]), [1.0, 2.0, 3.0, 4.0]),
        ("fc.bias", nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0])), [1.0, 2.0, 3.0, 4.0]),
        ("fc.bias", torch.arange(8.0)[::2], [0.0, 2.0, 4.0, 6.0]),
        ("fc.bias", torch.arange(1e6)[4:8], [4.0, 5.0, 6.0, 7.0]),
        ("fc.bias", torch.tensor(3.0).expand(4), [3.0] * 4),
        ("fc.weight", torch.arange(8.0).view(2, 4).T, [[0.0, 4.0], [1.0, 5.0], [2.0, 6.0], [3.0, 7.0]]),
        ("fc.bias", torch._neg_view(torch.ones(4)), [-1.0] * 4),
    ],
)  # fmt: skip
def test_forms_of_a_tensor_that_hold_its_values(name, tensor, value):
    model = Net()
    loaded(model, STATE | {name: tensor})
    assert model.state_dict()[name].tolist() == value


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("fc.bias", torch.zeros(4, dtype=torch.complex64), "complex"),
        ("fc.bias", torch.zeros(4, device="meta"), "no values"),
        ("fc.bias", torch.zeros(4).to_sparse(), "sparse"),
        ("fc.bias", torch.zeros(4, dtype=torch.int8), "int8, which needs a scale"),
        ("fc.bias", torch.zeros(4, dtype=torch.uint8), "uint8, which needs a scale"),
        ("fc.bias", torch.zeros(4).to(torch.float8_e4m3fn), "float8_e4m3fn, which needs a scale"),
        ("fc.bias", torch.tensor([2**53 + 1] * 4), "int64, the model's float32 cannot hold its values"),
    ],
)  # fmt: skip
def test_forms_without_the_values_are_refused(name, tensor, words):
    with pytest.raises(ModelError, match=rf"^file: {name} .*{words}"):
        loaded(Net(), STATE | {name: tensor})


# ---------------------------------------------------------------- ties


@pytest.mark.parametrize("held", ["first.weight", "second.weight"])
def test_a_tied_tensor_may_be_held_once(held):
    """As safetensors' ``save_model`` and EvoRay's own exports do."""
    model, value = Tied(), torch.rand(3, 3)
    assert tied_names(model) == {"second.weight": "first.weight"}
    loaded(model, {held: value})
    assert torch.equal(model.first.weight, value) and model.first.weight is model.second.weight


def test_tied_tensors_that_differ_are_refused():
    with pytest.raises(ModelError, match=r"second\.weight and first\.weight differ"):
        loaded(Tied(), {"first.weight": torch.zeros(3, 3), "second.weight": torch.ones(3, 3)})


def test_a_tied_tensor_that_is_not_there_is_missing():
    with pytest.raises(ModelError, match=r"missing first\.weight; missing second\.weight"):
        load_into(Tied(), {}, "file")


def test_nothing_is_written_into_a_model_that_is_refused():
    model = Net()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ModelError):
        load_into(model, STATE | {"fc.bias": torch.zeros(4, dtype=torch.complex64)}, "file")
    assert same(model, before)
