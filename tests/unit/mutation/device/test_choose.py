from __future__ import annotations

import sys

import pytest
import torch
from devices import Network

from evoray.mutation.device import choose
from evoray.mutation.device.writer import TorchWriter

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def asked_anew():
    choose._kernel_runs.cache_clear()
    yield
    choose._kernel_runs.cache_clear()


def made(by):
    network = Network("float32", torch.float32, False)
    return choose.make_writer(by, network.space, network.base, network.buffer, network.layout.addresses)


def test_on_a_cpu_numpy_draws():
    assert choose.fastest(torch.device("cpu")) == "numpy"
    assert made(None) is None and made("numpy") is None


def test_either_writer_can_be_asked_for():
    assert type(made("torch")) is TorchWriter
    pytest.importorskip("triton")
    assert type(made("triton")).__name__ == "TritonWriter"


def test_on_a_gpu_it_is_the_kernel_if_it_runs(monkeypatch):
    kernel = pytest.importorskip("evoray.mutation.device.kernel")
    for runs, by in ((True, "triton"), (False, "torch")):
        choose._kernel_runs.cache_clear()
        monkeypatch.setattr(kernel, "probe", lambda device, runs=runs: runs)
        assert choose.fastest(CUDA) == by


def test_without_triton_torch_draws_and_the_log_says_so(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "evoray.mutation.device.kernel", None)
    with caplog.at_level("INFO", logger="evoray"):
        assert choose.fastest(CUDA) == "torch"
    assert "Triton cannot be used" in caplog.text
