"""Every ``"auto"`` that decides last bits is replaced once; what was given stays; the result is recorded whole."""

from __future__ import annotations

import pytest

from evoray.config import parse_config
from evoray.config.resolve import Facts, resolve
from evoray.errors import ConfigError

HERE = Facts(has_gpu=False, batch_size=64)


def config(**compute):
    return parse_config(
        {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mock:images=8"}, "compute": compute}
    )


@pytest.mark.parametrize(
    ("asked", "facts", "expected"),
    [
        ({}, HERE, ("cpu", 1, 0.0, 256)),
        ({"cpus_per_worker": 2.5}, HERE, ("cpu", 2, 0.0, 256)),
        ({"cpus_per_worker": 0.25}, HERE, ("cpu", 1, 0.0, 256)),
        ({"threads_per_worker": 3, "batch_size": 7}, HERE, ("cpu", 3, 0.0, 7)),
        ({"batch_size": "auto"}, HERE, ("cpu", 1, 0.0, 64)),
        ({}, Facts(has_gpu=True), ("cuda", 1, 1.0, 256)),
        ({"device": "cpu"}, Facts(has_gpu=True), ("cpu", 1, 0.0, 256)),
        ({"device": "cuda:1", "gpus_per_worker": 0.5}, Facts(has_gpu=True), ("cuda:1", 1, 0.5, 256)),
    ],
)
def test_what_is_open_is_found_and_what_is_given_stays(asked, facts, expected):
    compute = resolve(config(**asked), facts).compute
    assert (compute.device, compute.threads_per_worker, compute.gpus_per_worker, compute.batch_size) == expected


def test_the_record_is_the_configuration_with_those_values_and_can_be_read_again():
    asked = config(workers=3)
    resolved = resolve(asked, HERE)
    before, after = asked.model_dump(mode="json"), resolved.model_dump(mode="json")
    changed = {"device": "cpu", "threads_per_worker": 1, "gpus_per_worker": 0.0}
    assert after == before | {"compute": before["compute"] | changed}
    assert parse_config(after).model_dump(mode="json") == after


def test_resolving_twice_changes_nothing():
    once = resolve(config(), HERE)
    assert resolve(once, HERE) == once


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"device": "cuda"}, r"compute\.device = 'cuda': no GPU there"),
        ({"cuda_graphs": True}, r"compute\.cuda_graphs = true: needs a GPU"),
    ],
)
def test_what_cannot_be_is_refused_with_the_key(asked, message):
    with pytest.raises(ConfigError, match=message):
        resolve(config(**asked), HERE)


def test_a_batch_size_that_nobody_looked_for_is_no_guess():
    with pytest.raises(ConfigError, match=r"compute\.batch_size"):
        resolve(config(batch_size="auto"), Facts(has_gpu=False))


@pytest.mark.parametrize(
    ("asked", "found", "expected"),
    [
        ({}, None, "float32"),
        ({}, "bfloat16", "float32"),
        ({"dtype": "float16"}, "bfloat16", "float16"),
        ({"dtype": "auto"}, "float32", "float32"),
        ({"dtype": "auto"}, "bfloat16", "bfloat16"),
        ({"dtype": "auto", "batch_size": "auto"}, "bfloat16", "bfloat16"),
    ],
)
def test_a_type_is_the_given_one_or_the_one_found_and_is_recorded(asked, found, expected):
    resolved = resolve(config(**asked), Facts(has_gpu=False, batch_size=64, dtype=found))
    assert resolved.compute.dtype == expected
    recorded = resolved.model_dump(mode="json")
    assert parse_config(recorded).compute.dtype == recorded["compute"]["dtype"] == expected
    assert "auto" not in (resolved.compute.dtype, resolved.compute.batch_size)


def test_a_type_that_nobody_looked_for_is_no_guess():
    with pytest.raises(ConfigError, match=r'compute\.dtype = "auto": no type was found\. Set one'):
        resolve(config(dtype="auto"), HERE)


def test_a_sigma_that_is_found_later_keeps_the_rest():
    resolved = resolve(config(), HERE).with_sigma(0.05)
    assert (resolved.mutation.sigma, resolved.compute.device) == (0.05, "cpu")
