"""Settings of the whole process on a GPU; setting them needs none. ``tests/unit/backends/test_local.py`` has more."""

from __future__ import annotations

import os

import pytest
import torch

from evoray.errors import BackendError
from evoray.evaluation.settings import WORKSPACE, process_settings


@pytest.fixture(autouse=True)
def as_pytorch_is(monkeypatch):
    monkeypatch.delenv(WORKSPACE, raising=False)
    yield
    assert not torch.are_deterministic_algorithms_enabled(), "put back by the test's own contexts"
    assert WORKSPACE not in os.environ


def test_faster_algorithms_where_a_run_need_not_repeat():
    with process_settings(deterministic=False):
        assert torch.backends.cudnn.benchmark
        assert not torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.allow_tf32, "full float32 all the same"
    assert not torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.allow_tf32


def test_the_process_cannot_be_set_both_ways():
    with process_settings(deterministic=True):
        with pytest.raises(BackendError, match="deterministic = false: another run in this process"):
            process_settings(deterministic=False).__enter__()
        assert torch.are_deterministic_algorithms_enabled()
    with process_settings(deterministic=False):
        assert torch.backends.cudnn.benchmark


def test_the_last_to_leave_puts_back():
    one, other = process_settings(deterministic=True), process_settings(deterministic=True)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert torch.are_deterministic_algorithms_enabled() and WORKSPACE in os.environ
    other.__exit__(None, None, None)


def test_a_caller_who_used_pytorchs_new_names_finds_them_again():
    matmul, conv = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    found = matmul.fp32_precision, conv.fp32_precision
    matmul.fp32_precision, conv.fp32_precision = "tf32", "ieee"  # which the old names cannot be asked about
    try:
        with process_settings(deterministic=True):
            assert matmul.fp32_precision == "ieee"
        assert (matmul.fp32_precision, conv.fp32_precision) == ("tf32", "ieee")
    finally:
        torch.set_float32_matmul_precision("highest")
        matmul.fp32_precision, conv.fp32_precision = found
