from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from evoray.models import batchnorm_layers, measured, statistics_of, with_buffers


def network():
    """Two layers with statistics of their own, and one that keeps none."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.ReLU(), nn.BatchNorm2d(3, track_running_stats=False),
        nn.Flatten(), nn.BatchNorm1d(3 * 4),
    )  # fmt: skip
    return model.eval()


def images(count, seed=1):
    return torch.randn(count, 2, 2, 2, generator=torch.Generator().manual_seed(seed))


def test_only_layers_with_statistics_are_named_in_order():
    assert list(batchnorm_layers(network())) == ["1", "5"]
    assert batchnorm_layers(nn.Linear(2, 2)) == {}


def test_one_batch_gives_the_mean_and_the_unbiased_variance_of_what_reaches_the_layer():
    model = network()
    with torch.inference_mode():
        reached = model[0](images(6)).double().numpy()
        with measured(model) as moments:
            model(images(6))
    found = statistics_of({"1": 3, "5": 12}, moments.row())
    assert set(found) == {"1.running_mean", "1.running_var", "5.running_mean", "5.running_var"}
    np.testing.assert_allclose(found["1.running_mean"], reached.mean((0, 2, 3)), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found["1.running_var"], reached.var((0, 2, 3), ddof=1), rtol=1e-5)
    assert found["1.running_mean"].dtype == np.float32 and found["5.running_var"].shape == (12,)


def test_pytorchs_own_statistics_are_the_same():
    """In training with momentum 1 a layer keeps the statistics of its last batch."""
    model = network()
    with torch.inference_mode(), measured(model) as moments:
        model(images(5))
    found = statistics_of({"1": 3, "5": 12}, moments.row())
    for layer in batchnorm_layers(model).values():
        layer.momentum = 1.0
    with torch.no_grad():
        model.train()(images(5))
    for name, layer in batchnorm_layers(model).items():
        torch.testing.assert_close(torch.from_numpy(found[f"{name}.running_mean"]), layer.running_mean)
        torch.testing.assert_close(torch.from_numpy(found[f"{name}.running_var"]), layer.running_var)


def test_sums_of_shards_add_up():
    model, row = network(), 0
    reached = []
    for seed, count in ((1, 4), (2, 3), (3, 2)):
        with torch.inference_mode():
            reached.append(model[0](images(count, seed)).double().numpy())
            with measured(model) as moments:
                model(images(count, seed))
        row = row + moments.row()
    everything = np.concatenate(reached)
    found = statistics_of({"1": 3, "5": 12}, row)
    np.testing.assert_allclose(found["1.running_mean"], everything.mean((0, 2, 3)), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found["1.running_var"], everything.var((0, 2, 3), ddof=1), rtol=1e-5)


def test_a_row_counts_values_and_has_two_sums_a_channel():
    model = network()
    with torch.inference_mode(), measured(model) as moments:
        assert moments.row().tolist() == [0.0] * (2 + 2 * (3 + 12))
        model(images(6))
    assert moments.row().dtype == np.float64
    assert moments.row()[:2].tolist() == [6 * 4, 6], "a channel of an image counts each pixel"


def test_while_measured_layers_normalise_by_the_batch_and_afterwards_by_their_own():
    layer = nn.BatchNorm1d(2).eval()
    layer.running_mean.copy_(torch.tensor([5.0, -5.0]))
    values = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    before = layer(values)
    with torch.no_grad(), measured(nn.Sequential(layer)):
        inside = layer(values)
    torch.testing.assert_close(inside, torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), rtol=0, atol=1e-4)
    assert torch.equal(layer(values), before)
    assert layer.running_mean.tolist() == [5.0, -5.0]


def test_after_a_failure_the_layers_are_as_they_were():
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(RuntimeError, match="pulled"), measured(model) as moments:
        raise RuntimeError("pulled")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    model(images(3))
    assert moments.row()[0] == 0, "no hook is left"


def test_one_value_has_no_spread():
    found = statistics_of({"a": 1}, np.array([1.0, 3.0, 9.0]))
    assert (found["a.running_mean"].tolist(), found["a.running_var"].tolist()) == ([3.0], [0.0])


def test_rounding_makes_no_negative_variance():
    found = statistics_of({"a": 1}, np.array([3.0, 0.3, 0.03 - 1e-18]))
    assert found["a.running_var"][0] >= 0


def test_other_statistics_hold_inside_and_are_written_in_place():
    model = network()
    place = model[1].running_mean.data_ptr()
    kept = model[1].running_mean.clone()
    with with_buffers(model, {"1.running_mean": np.array([1, 2, 3], np.float32)}):
        assert model[1].running_mean.tolist() == [1, 2, 3]
        assert model[1].running_mean.data_ptr() == place, "compiled code reads the same memory"
    assert torch.equal(model[1].running_mean, kept)
    with pytest.raises(LookupError), with_buffers(model, {"1.running_mean": np.zeros(3, np.float32) + 9}):
        raise LookupError
    assert torch.equal(model[1].running_mean, kept)


def test_statistics_of_a_layer_that_is_not_there_change_nothing():
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(KeyError), with_buffers(model, {"9.running_mean": np.zeros(3, np.float32)}):
        pass
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
