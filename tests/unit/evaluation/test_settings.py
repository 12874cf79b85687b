"""Settings of the whole process on a GPU; setting them needs none. ``tests/unit/backends/test_local.py`` has more."""

from __future__ import annotations

import os

import pytest
import torch

from evoray.errors import BackendError
from evoray.evaluation.settings import CONVOLUTION, MATMUL, WORKSPACE, process_settings


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


@pytest.mark.parametrize("old", [("highest", True), ("high", True), ("medium", False)])
@pytest.mark.parametrize("new", [("tf32", "ieee"), ("ieee", "tf32"), ("tf32", "tf32"), (None, None)])
def test_what_pytorchs_old_names_say_is_put_back_where_the_new_ones_hide_it(old, new):
    """Asked again once the new names say what they were: until then PyTorch refuses to answer."""
    matmul, conv = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    owners = (*MATMUL, *CONVOLUTION)
    before = [torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32], [o.fp32_precision for o in owners]
    try:
        torch.set_float32_matmul_precision(old[0])
        torch.backends.cudnn.allow_tf32 = old[1]
        found = [owner.fp32_precision for owner in owners]
        if new[0] is not None:
            matmul.fp32_precision, conv.fp32_precision = new
        mixed = [owner.fp32_precision for owner in owners]
        with process_settings(deterministic=True):
            assert torch.get_float32_matmul_precision() == "highest" and not torch.backends.cudnn.allow_tf32
        assert [owner.fp32_precision for owner in owners] == mixed
        for owner, precision in zip(owners, found, strict=True):
            owner.fp32_precision = precision
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == old
    finally:
        torch.set_float32_matmul_precision(before[0][0])
        torch.backends.cudnn.allow_tf32 = before[0][1]
        for owner, precision in zip(owners, before[1], strict=True):
            owner.fp32_precision = precision
