"""Which type is chosen, what is said of it, and which device is slow in which type."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
from torch import nn

from evoray.config import parse_config
from evoray.config.resolve import Facts, resolve
from evoray.errors import BackendError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.units import dtype as module
from evoray.evaluation.units.dtype import (
    ENOUGH,
    ROUNDS,
    DtypeUnit,
    SlowUnit,
    choose,
    found,
    lacks_instructions,
    reduced_type,
    seconds_of,
    slow_reason,
)
from evoray.search.inputs import check_inputs
from evoray.search.workers import make_program

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"float32": 1.0, "bfloat16": 5.0}, "float32"),
        ({"float32": 1.0, "bfloat16": 1.0}, "float32"),
        ({"float32": 1.0, "bfloat16": 0.9}, "float32"),
        ({"float32": 1.19, "bfloat16": 1.0}, "float32"),
        ({"float32": 1.2, "bfloat16": 1.0}, "bfloat16"),
        ({"float32": 3.0, "float16": 1.0}, "float16"),
        ({"float32": 3.0}, "float32"),
        ({"bfloat16": 3.0}, "bfloat16"),
    ],
)
def test_a_reduced_type_has_to_be_clearly_faster(seconds, chosen):
    assert choose(seconds, {}) == chosen


def test_no_type_that_runs_is_an_error_with_every_reason():
    with pytest.raises(BackendError, match=r'compute\.dtype = "auto".*float32: A; bfloat16: B\)\. Set one') as error:
        choose({}, {"float32": "A", "bfloat16": "B"})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("seconds", "failed", "dtype", "words"),
    [
        ({"float32": 2.1, "bfloat16": 10.2}, {}, "float32", ("bfloat16", "(CPU X)", "0.21 times", "reach 1.2")),
        ({"float32": 3.0, "bfloat16": 2.0}, {}, "bfloat16", ("in bfloat16", "(CPU X)", "1.50 times", "as in float32")),
        ({"float32": 3.0}, {"bfloat16": "TypeError: no"}, "float32", ("does not run in bfloat16 (TypeError: no)",)),
        ({"bfloat16": 3.0}, {"float32": "TypeError: no"}, "bfloat16", ("does not run in float32 (TypeError: no)",)),
    ],
)
def test_one_line_says_which_type_and_why(seconds, failed, dtype, words):
    choice = found(seconds, failed, "bfloat16", "CPU X")
    assert choice.dtype == dtype
    assert choice.line.startswith(f"compute.dtype is {dtype} for this run: ") and "\n" not in choice.line
    assert all(word in choice.line for word in words), choice.line


class Passes:
    """So many seconds an image, and what was asked for in which order."""

    def __init__(self, room=10**9, **rates):
        self.calls, self.room, self.rates = [], room, rates

    def of(self):
        return {name: lambda size, name=name: self._take(name, size) for name in self.rates}

    def _take(self, name, size):
        if size > self.room:
            raise torch.cuda.OutOfMemoryError
        self.calls.append((name, size))
        return self.rates[name] * size


def test_images_double_until_a_pass_says_something_and_types_take_turns():
    passes = Passes(float32=ENOUGH / 6, bfloat16=ENOUGH / 12)
    seconds = seconds_of(passes.of(), 256)
    assert seconds == pytest.approx({"float32": ENOUGH / 6 * 8, "bfloat16": ENOUGH / 12 * 8})
    turns = passes.calls[-2 * ROUNDS :]
    assert {size for _, size in turns} == {8}
    names = [name for name, _ in turns]
    assert all(set(names[i : i + 2]) == {"float32", "bfloat16"} for i in range(0, 2 * ROUNDS, 2))
    assert len({tuple(names[i : i + 2]) for i in range(0, 2 * ROUNDS, 2)}) == 2, "each is first at times"


@pytest.mark.parametrize("largest", [1, 5, 6])
def test_never_more_images_than_a_run_would_take(largest):
    passes = Passes(float32=1e-9, bfloat16=1e-9)
    seconds_of(passes.of(), largest)
    assert max(size for _, size in passes.calls) == largest


def test_a_hopeless_type_is_not_timed_again():
    passes = Passes(float32=1.0, bfloat16=5.0)
    assert seconds_of(passes.of(), 64) == {"float32": 1.0, "bfloat16": 5.0}
    assert sum(name == "bfloat16" for name, _ in passes.calls) == 2
    assert {size for _, size in passes.calls} == {1}, "a slow network is timed on one image"


def test_a_device_that_is_full_is_timed_on_what_fits(monkeypatch):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    passes = Passes(room=5, float32=1e-6, bfloat16=5e-7)
    assert seconds_of(passes.of(), 64) == pytest.approx({"float32": 4e-6, "bfloat16": 2e-6})


def test_one_pass_that_was_disturbed_decides_nothing():
    taken = iter([0.2, 0.2, 0.1, 9.0, 0.1])
    disturbed = {"float32": lambda size: 0.2, "bfloat16": lambda size: next(taken)}
    assert seconds_of(disturbed, 8)["bfloat16"] == 0.1


# Which device is slow in which type.

SAPPHIRE_RAPIDS = {"architecture": "x86_64", "avx512_f": True, "avx512_bf16": True, "avx512_fp16": True}
ZEN_4 = {"architecture": "x86_64", "avx512_f": True, "avx512_bf16": True, "avx512_fp16": False}
SKYLAKE_X = {"architecture": "x86_64", "avx2": True, "avx512_f": True, "avx512_bf16": False, "f16c": True}
ZEN_3 = {"architecture": "x86_64", "avx2": True, "f16c": True, "avx512_bf16": False, "amx_bf16": False}
GRAVITON_3 = {"architecture": "arm64", "neon": True, "fp16_arith": True, "bf16": True}
GRAVITON_2 = {"architecture": "arm64", "neon": True, "fp16_arith": True, "bf16": False}
AMX_ALONE = {"architecture": "x86_64", "amx_bf16": True}


@pytest.mark.parametrize(
    ("capabilities", "bfloat16", "float16"),
    [
        (SAPPHIRE_RAPIDS, False, False),
        (ZEN_4, False, True),
        (SKYLAKE_X, True, True),
        (ZEN_3, True, True),
        (GRAVITON_3, False, False),
        (GRAVITON_2, True, False),
        (AMX_ALONE, False, True),
        ({"architecture": "ppc64le"}, False, False),
        ({}, False, False),
    ],
)
def test_a_processor_lacks_what_it_does_not_list(capabilities, bfloat16, float16):
    assert lacks_instructions("bfloat16", capabilities) == bfloat16
    assert lacks_instructions("float16", capabilities) == float16


@pytest.mark.parametrize(
    ("dtype", "capabilities", "slow"),
    [
        ("float32", ZEN_3, False),
        ("bfloat16", ZEN_3, True),
        ("float16", ZEN_3, True),
        ("bfloat16", SAPPHIRE_RAPIDS, False),
    ],
)
def test_what_is_said_of_this_processor(dtype, capabilities, slow, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    reason = slow_reason(dtype, CPU)
    assert bool(reason) == slow
    if slow:
        assert reason.startswith("the processor (CPU ") and reason.endswith(f" has no {dtype} instructions")


def test_a_pytorch_that_cannot_say_says_nothing(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert slow_reason("bfloat16", CPU) == ""


@pytest.mark.parametrize(("native", "reduced"), [(True, "bfloat16"), (False, "float16")])
def test_float16_is_for_gpus_that_emulate_bfloat16(native, reduced, monkeypatch):
    def supported(including_emulation=True):
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "device", contextlib.nullcontext)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "GPU X")
    assert reduced_type(CUDA) == reduced
    assert slow_reason("bfloat16", CUDA) == ("" if native else "GPU X only emulates bfloat16")
    assert slow_reason("float16", CUDA) == slow_reason("float32", CUDA) == ""


def test_on_a_processor_it_is_bfloat16():
    assert reduced_type(CPU) == "bfloat16"


# The units, on a worker's own evaluator.


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3 * 8 * 8, 5)

    def forward(self, x):
        return self.fc(x.flatten(1))


class OnlyFloat32(Net):
    def forward(self, x):
        if x.dtype != torch.float32:
            raise TypeError("only\nin float32")
        return super().forward(x)


class OnlyBfloat16(Net):
    def forward(self, x):
        if x.dtype != torch.bfloat16:
            raise TypeError("only in bfloat16")
        return super().forward(x)


class OverflowsInBfloat16(Net):
    def forward(self, x):
        return super().forward(x) / (x.dtype == torch.float32)


class NeverFinite(Net):
    def forward(self, x):
        return super().forward(x) * torch.inf


@pytest.fixture
def evaluator(tmp_path):
    (tmp_path / "user_net.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = torch.nn.Linear(192, 5)\n    def forward(self, x):\n        return self.fc(x.flatten(1))\n"
    )
    values = {
        "parent": {"source": "module", "name": "user_net:Net", "weights": "random"},
        "data": {"path": "mock:images=40,size=8,classes=5"},
        "compute": {"backend": "local", "dtype": "auto", "batch_size": 8},
    }
    inputs = check_inputs(parse_config(values, config_dir=tmp_path), tmp_path)
    program = make_program(inputs, resolve(inputs.config, Facts(has_gpu=False, dtype="float32")))
    return lambda kind: Evaluator(copy.deepcopy(kind()).eval(), program)


def test_both_types_are_timed_on_no_more_images_than_a_batch(evaluator, monkeypatch):
    asked = {}

    def timed(passes, largest):
        asked.update({name: one(2) for name, one in passes.items()}, largest=largest)
        return {"float32": 3.0, "bfloat16": 1.0}

    monkeypatch.setattr(module, "seconds_of", timed)
    worker = evaluator(Net)
    before = worker.host.flat.clone()
    (choice,) = DtypeUnit("select", worker.splits.shards("select")[0]).run(worker)
    assert choice.dtype == "bfloat16" and worker.device_name in choice.line
    assert asked.pop("largest") == 8
    assert asked.keys() == {"float32", "bfloat16"} and all(0 < seconds < 5 for seconds in asked.values())
    assert torch.equal(worker.host.flat, before) and worker.host.dtype == torch.float32, "the worker is as it was"


@pytest.mark.parametrize(
    ("kind", "dtype", "reason"),
    [
        (OnlyFloat32, "float32", "does not run in bfloat16 (TypeError: only in float32)"),
        (OnlyBfloat16, "bfloat16", "does not run in float32 (TypeError: only in bfloat16)"),
        (OverflowsInBfloat16, "float32", "does not run in bfloat16 (its outputs are not finite, those in float32 are)"),
    ],
)
def test_a_type_in_which_the_parent_fails_is_not_taken(kind, dtype, reason, evaluator):
    worker = evaluator(kind)
    (choice,) = DtypeUnit("select", worker.splits.shards("select")[0]).run(worker)
    assert choice.dtype == dtype and reason in choice.line


def test_outputs_that_are_finite_in_no_type_say_nothing_against_one(evaluator, monkeypatch):
    monkeypatch.setattr(module, "seconds_of", lambda passes, largest: {"float32": 3.0, "bfloat16": 1.0})
    worker = evaluator(NeverFinite)
    (choice,) = DtypeUnit("select", worker.splits.shards("select")[0]).run(worker)
    assert choice.dtype == "bfloat16"


def test_a_worker_says_why_a_type_is_slow_there(evaluator, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: ZEN_4, raising=False)
    worker = evaluator(Net)
    assert SlowUnit("bfloat16", 0).run(worker) == [""]
    (reason,) = SlowUnit("float16", 0).run(worker)
    assert "no float16 instructions" in reason
