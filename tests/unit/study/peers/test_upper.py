from __future__ import annotations

import torch
from torch.nn import functional

from evoray.study.peers import upper


def test_epochs_lower_the_loss_on_what_is_trained_on_and_leave_the_statistics(network):
    before = [one.clone() for one in network.model.buffers()]
    optimiser = torch.optim.AdamW(network.model.parameters(), lr=1e-3)
    first, generator = network.loss(network.select), torch.Generator().manual_seed(0)
    for _ in range(5):
        upper._epoch(network, optimiser, network.select, generator)
    assert network.loss(network.select) < first - 0.01
    assert all(torch.equal(one, known) for one, known in zip(network.model.buffers(), before, strict=True))


def test_gradient_descent_answers_by_what_it_did_not_train_on_and_counts_what_it_took(network):
    found = upper.gradient_descent(network, 1e-3, 0)
    held = round(40 * upper.HELD_OUT)
    epochs = (found.evaluations * 40 - held) / (upper.BACKWARD * (40 - held) + held)
    assert upper.PATIENCE <= round(epochs) <= upper.EPOCHS and abs(epochs - round(epochs)) < 1e-9
    rows = torch.randperm(40, generator=torch.Generator().manual_seed(0))[:held]
    network.write(found.network)
    assert network.loss(network.select[rows]) == found.select
    network.write(network.home)
    assert found.select <= network.loss(network.select[rows])
    assert found.calibrate is None and found.seconds > 0


def test_a_rate_of_nothing_gives_the_parent_back(network):
    found = upper.gradient_descent(network, 0.0, 0)
    assert torch.equal(found.network, network.home)


def test_a_temperature_is_the_one_that_scaled_the_logits(network):
    logits = network.logits(network.select).clone()
    one = upper.temperature(network, False, 0)
    fitted = functional.cross_entropy(one.calibrate(logits), network.select.labels)
    for factor in (0.9, 1.1):
        other = functional.cross_entropy(one.calibrate(logits) * factor, network.select.labels)
        assert float(fitted) < float(other) + 1e-9
    assert one.calibrate(logits).argmax(1).equal(logits.argmax(1)), "a temperature changes no answer"
    assert abs(float(fitted) - one.select) < 1e-6


def test_a_bias_does_better_on_the_images_it_was_fitted_to(network):
    plain, biased = (upper.temperature(network, bias, 0) for bias in (False, True))
    assert biased.select < plain.select < network.loss(network.select)
    assert biased.network is plain.network is None
