"""Which weights: the ones that timm's loader takes where it knows all that fit, else the user is asked."""

from __future__ import annotations

import pytest
import torch
from checkpoints import Net, prefixed, same, state

from evoray.errors import ModelError
from evoray.models.checkpoints.fitting import choose, install, said
from evoray.models.checkpoints.states import keys_of, only_state, states_of, under_key

PLAIN, AVERAGE, OTHER = state(1), state(2), state(3)
OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(3), "step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]}


def taken(content, key=None):
    """(the network's state, the line for the user)."""
    model = Net()
    chosen = choose(model, content, key, "file")
    install(model, chosen, "file")
    return model, said(chosen, content, key, "file")


@pytest.mark.parametrize(
    ("content", "expected", "line"),
    [
        (PLAIN, PLAIN, None),
        ({"model": PLAIN, "model_ema": AVERAGE}, AVERAGE, "took model_ema (parent.weights_key takes another: model)"),
        ({"model_ema": AVERAGE, "model": PLAIN}, AVERAGE, "took model_ema (parent.weights_key takes another: model)"),
        ({"state_dict": PLAIN, "state_dict_ema": AVERAGE}, AVERAGE, "took state_dict_ema"),
        ({"state_dict": PLAIN, "model": OTHER}, PLAIN, "took state_dict (parent.weights_key takes another: model)"),
        ({"state_dict": PLAIN, "state_dict_ema": AVERAGE, "model_ema": OTHER}, AVERAGE, "took state_dict_ema"),
        ({"state_dict": PLAIN, "state_dict_ema": None}, PLAIN, "took state_dict; ignored state_dict_ema"),
        ({"model": PLAIN, "model_ema": {}, "epoch": 3}, PLAIN, "took model; ignored model_ema, epoch"),
        ({"model": PLAIN, "model_ema": prefixed("module.", AVERAGE) | {"n_averaged": torch.tensor(9)}}, AVERAGE,
         'took model_ema.module (parent.weights_key takes another: model); stripped "module."; ignored n_averaged'),
        ({"state_dict": PLAIN, "optimizer": OPTIMIZER, "best_acc1": torch.tensor(71.2)}, PLAIN,
         "took state_dict; ignored optimizer, best_acc1"),
        ({"net": PLAIN, "acc": 92.1, "epoch": 5}, PLAIN, "took net; ignored acc, epoch"),
        ({"model_state_dict": PLAIN, "optimizer_state_dict": OPTIMIZER}, PLAIN, "took model_state_dict"),
        ({"model_state": PLAIN}, PLAIN, "took model_state"),
        (PLAIN | {"epoch": 3, "arch": "net", "none": None}, PLAIN, "file: ignored epoch, arch, none"),
        ({"network": PLAIN}, PLAIN, "took network"),
        ({"weights": PLAIN}, PLAIN, "took weights"),
        ({"params": PLAIN}, PLAIN, "took params"),
        ({"anything": PLAIN}, PLAIN, "took anything"),
        ({"model": {"state_dict": PLAIN}}, PLAIN, "took model.state_dict"),
        ({"checkpoint": {"model": {"net": PLAIN}}}, PLAIN, "took checkpoint.model.net"),
        ({"models": [PLAIN]}, PLAIN, "took models.0"),
        ({"state_dict": PLAIN, "current_model_state": OTHER, "pytorch-lightning_version": "2.5"}, PLAIN, "state_dict"),
        ({"model": PLAIN, "ema": dict(PLAIN)}, PLAIN, "took model (parent.weights_key takes another: ema)"),
        ({"generator": state(5, 7) | {"more": torch.zeros(1)}, "model": PLAIN}, PLAIN, "took model; ignored generator"),
    ],
)  # fmt: skip
def test_the_weights_that_are_meant_are_taken_and_said(content, expected, line):
    model, found = taken(content)
    assert same(model, expected)
    assert found is None if line is None else line in found


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ({"model": PLAIN, "ema": AVERAGE}, ["model", "ema"]),
        ({"state_dict": PLAIN, "ema_state_dict": AVERAGE}, ["state_dict", "ema_state_dict"]),
        ({"params": PLAIN, "params_ema": AVERAGE}, ["params", "params_ema"]),
        ({"teacher": PLAIN, "student": AVERAGE}, ["teacher", "student"]),
        ({"state_dict": PLAIN, "callbacks": {"EMA": {"state_dict": AVERAGE}}},
         ["state_dict", "callbacks.EMA.state_dict"]),
        ({"best": PLAIN, "last": AVERAGE}, ["best", "last"]),
        ({"models": [PLAIN, AVERAGE]}, ["models.0", "models.1"]),
        ({"state_dict_ema": PLAIN, "swa": AVERAGE}, ["state_dict_ema", "swa"]),
        (prefixed("teacher.", PLAIN) | prefixed("student.", AVERAGE), ["teacher", "student"]),
        ({"state_dict": prefixed("model.", PLAIN) | prefixed("ema.module.", AVERAGE)},
         ["state_dict.model", "state_dict.ema.module"]),
        ({"model": {"backbone": PLAIN, "momentum": AVERAGE}}, ["model.backbone", "model.momentum"]),
        (prefixed("encoder_q.", PLAIN) | prefixed("encoder_k.", AVERAGE), ["encoder_q", "encoder_k"]),
    ],
)  # fmt: skip
def test_where_it_is_open_the_user_chooses(content, keys):
    with pytest.raises(ModelError, match="holds several networks that fit") as caught:
        taken(content)
    assert all(key in str(caught.value) for key in keys) and "parent.weights_key" in str(caught.value)
    first, second = (taken(content, key)[0] for key in keys)
    assert (same(first, PLAIN) and same(second, AVERAGE)) or (same(first, AVERAGE) and same(second, PLAIN))


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        ({"model": PLAIN, "model_ema": AVERAGE}, "model", PLAIN),
        ({"state_dict": PLAIN, "state_dict_ema": AVERAGE}, "state_dict", PLAIN),
        ({"callbacks": {"EMA{'decay': 0.99}": {"state_dict": AVERAGE}}, "state_dict": PLAIN},
         "callbacks.EMA{'decay': 0.99}.state_dict", AVERAGE),
        ({"callbacks": {"EMA": {"state_dict": AVERAGE}}, "state_dict": PLAIN}, "callbacks.EMA", AVERAGE),
        ({"a.b": {"c": AVERAGE}, "a": PLAIN}, "a.b.c", AVERAGE),
        ({"model": prefixed("module.", PLAIN)}, "model", PLAIN),
        ({"model": prefixed("module.", PLAIN)}, "model.module", PLAIN),
        (prefixed("teacher.backbone.", PLAIN) | prefixed("student.backbone.", AVERAGE), "teacher", PLAIN),
    ],
)  # fmt: skip
def test_a_key_is_a_path_or_a_prefix_of_names(content, key, expected):
    assert same(taken(content, key)[0], expected)


@pytest.mark.parametrize("key", ["ema", "model.ema", "epoch", ".", "model.conv.weight", "Model", "model_emas"])
def test_an_unknown_key_lists_those_there_are(key):
    content = {"model": PLAIN, "model_ema": AVERAGE, "epoch": 3}
    with pytest.raises(ModelError, match=r"parent\.weights_key = .*There are model, model_ema"):
        taken(content, key)


@pytest.mark.parametrize(
    "content", [{}, [], None, 3, {"epoch": 1}, {"w": [torch.zeros(1)]}, torch.zeros(2), {1: PLAIN}]
)
def test_a_file_without_names_has_no_state(content):
    with pytest.raises(ModelError, match=r"^file: holds no state_dict\. Save model\.state_dict\(\)\."):
        taken(content)


def test_references_in_a_circle_end():
    content: dict[str, object] = {"model": PLAIN}
    content["self"] = content
    deep = content
    for _ in range(100):
        deep = {"x": deep}
    assert list(states_of(content)) == ["model"] and states_of(deep) == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (PLAIN, PLAIN),
        ({"model": PLAIN, "model_ema": AVERAGE}, AVERAGE),
        ({"state_dict": PLAIN, "best": torch.tensor(1.0)}, PLAIN),
        ({"net": PLAIN, "stats": {"mean": torch.zeros(3)}}, PLAIN),
        ({"unusual": PLAIN}, PLAIN),
    ],
)
def test_without_a_model_the_usual_key_is_taken(content, expected):
    found = only_state(content, None, "file")
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


def test_without_a_model_several_unusual_ones_are_refused():
    with pytest.raises(ModelError, match=r"holds several states\. There are a, b"):
        only_state({"a": PLAIN, "b": AVERAGE}, None, "file")


LAYERS = {f"{layer}.weight": torch.zeros(2) for layer in ("conv1", "bn1", "layer1.0.conv", "fc")}


def under(prefix, layers=LAYERS):
    return {f"{prefix}.{name}": one for name, one in layers.items()}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LAYERS, r"Its tensors stand under no key \(conv1.weight, …\): leave parent.weights_key out\.$"),
        ({"weight": torch.zeros(1)}, r"under no key \(weight\): leave"),
        (under("module"), r"There are module\. Did you mean module\?$"),
        (under("_orig_mod.module"), r"There are _orig_mod\.$"),
        (under("teacher") | under("student"), r"There are student, teacher\.$"),
        ({"state_dict": under("module"), "epoch": 3}, r"There are state_dict, state_dict\.module\.$"),
        ({"state_dict": LAYERS}, r"There are state_dict\.$"),
        (
            {"model_state": dict(LAYERS), "model_ema": LAYERS},
            r"There are model_state, model_ema\. Did you mean model_ema\?$",
        ),
        ({"net": {"encoder": dict(LAYERS), "head": LAYERS}}, r"There are net\.encoder, net\.head\.$"),
    ],
)
def test_an_unknown_key_lists_those_that_exist(content, words):
    with pytest.raises(ModelError, match=words):
        under_key(content, "modelema", "w.pth")


@pytest.mark.parametrize(
    "content", [under("module"), under("teacher") | under("student"), {"a": under("b"), "c": LAYERS}]
)
def test_each_key_that_is_listed_can_be_given(content):
    for key in keys_of(content):
        assert under_key(content, key, "w.pth")
