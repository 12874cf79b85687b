"""``compute.dtype = "auto"``: float32 and a reduced type, timed in turn on a worker; and which types are slow where.

A type decides all bits below its own, so it is one for the whole run and all workers, and a resumed run takes the
recorded one. What is timed is the parent's eager forward pass on one record again and again, as for the batch size
(``batch_size.py``). A processor without instructions for a reduced type converts every number on its way in and out:
on two such cores networks ran five times slower in bfloat16 than in float32.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from evoray.config.schema import Dtype
from evoray.errors import BackendError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.host import ModelHost
from evoray.evaluation.packing import travelled
from evoray.evaluation.program import DTYPES
from evoray.runtime.reading import reason_of
from evoray.tasks.base import Outputs
from evoray.tasks.outputs import tensors_of

FLOAT32: Dtype = "float32"
CLEARLY = 1.2
"""A reduced type rounds every child, so it has to be faster by this much."""
HOPELESS = 3.0
"""A type so many times slower than another is not timed again."""
ROUNDS = 3
ENOUGH = 0.1
"""Seconds of a pass that say something; it has one image, and twice as many again until it takes as long."""

INSTRUCTIONS = {
    "bfloat16": ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "sve_bf16"),
    "float16": ("avx512_fp16", "amx_fp16", "avx10_2", "fp16_arith"),
}
"""What computes in a type, by the names of ``torch.cpu.get_capabilities``: of x86-64 and of ARM."""
LISTED = ("x86", "arm", "aarch")
"""Beginnings of the architectures whose instructions those names are."""


@dataclass(frozen=True)
class Found:
    """A type, and a sentence that says why."""

    dtype: Dtype
    line: str


@dataclass(frozen=True)
class DtypeUnit:
    """Times float32 and the device's reduced type; its value is the one chosen."""

    split: str
    shard: int

    def run(self, evaluator: Evaluator) -> list[Found]:
        reduced = reduced_type(evaluator.device)
        passes, failed = _running(evaluator, self.shard, (FLOAT32, reduced))
        largest = min(evaluator.program.batch_size, len(evaluator.splits.rows[self.split][self.shard]))
        return [found(seconds_of(passes, largest), failed, reduced, evaluator.device_name)]


@dataclass(frozen=True)
class SlowUnit:
    """Whether the worker's device computes slowly in the type that the run was given; its value says why, or is
    empty."""

    dtype: str
    shard: int

    def run(self, evaluator: Evaluator) -> list[str]:
        return [slow_reason(self.dtype, evaluator.device)]


def found(seconds: Mapping[Dtype, float], failed: Mapping[Dtype, str], reduced: Dtype, device: str) -> Found:
    """The choice between float32 and ``reduced``.

    Args:
        seconds: of a pass, of each type in which the parent runs. failed: why it does not, of each other type.
        device: its name.
    """
    chosen = choose(seconds, failed)
    head = f"compute.dtype is {chosen} for this run"
    for name, reason in failed.items():
        return Found(chosen, f"{head}: the parent does not run in {name} ({reason})")
    times = seconds[FLOAT32] / seconds[reduced]
    line = f"{head}: in {reduced} a worker ({device}) evaluates {times:.2f} times as many a second as in float32"
    return Found(chosen, line if chosen == reduced else f"{line}, and would have to reach {CLEARLY:g}")


def choose(seconds: Mapping[Dtype, float], failed: Mapping[Dtype, str]) -> Dtype:
    """float32, where another type is not clearly faster. Raises BackendError when none ran."""
    if not seconds:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise BackendError(
            f'compute.dtype = "auto": no type could be tried ({reasons}). Set one, or a smaller batch_size.'
        )
    best = min(seconds, key=seconds.__getitem__)
    return best if FLOAT32 not in seconds or seconds[best] * CLEARLY <= seconds[FLOAT32] else FLOAT32


def seconds_of(passes: Mapping[Dtype, Callable[[int], float]], largest: int) -> dict[Dtype, float]:
    """Seconds of a pass of as many images in each type: medians of some rounds in turn, or what a first look says.

    Args:
        passes: seconds that some number of images take, of each type. largest: how many there may be.
    """
    if not passes:
        return {}
    size = _enough(next(iter(passes.values())), largest)
    first = {name: min(one(size), one(size)) for name, one in passes.items()}
    if max(first.values()) > HOPELESS * min(first.values()):
        return first
    times: dict[Dtype, list[float]] = {name: [] for name in passes}
    for number in range(ROUNDS):
        for name in list(passes) if number % 2 else reversed(list(passes)):
            times[name].append(passes[name](size))
    return {name: statistics.median(own) for name, own in times.items()}


def _enough(one: Callable[[int], float], largest: int) -> int:
    """So many images that a pass takes ``ENOUGH`` seconds; fewer where the device has no memory for them."""
    size = 1
    while size < largest and min(one(size), one(size)) < ENOUGH:
        larger = min(2 * size, largest)
        try:
            one(larger)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            break
        size = larger
    return size


def _running(
    evaluator: Evaluator, shard: int, names: Iterable[Dtype]
) -> tuple[dict[Dtype, Callable[[int], float]], dict[Dtype, str]]:
    """Passes of the types in which the parent runs, and why it does not in the others."""
    passes: dict[Dtype, Callable[[int], float]] = {}
    failed: dict[Dtype, str] = {}
    finite = True
    for name in names:
        try:
            network = _Network(evaluator, shard, name)
            own = all(bool(torch.isfinite(one).all()) for one in tensors_of(network.outputs(1)))
        except Exception as error:  # the network is a stranger's
            failed[name] = reason_of(error)
            continue
        if finite and not own and passes:
            failed[name] = f"its outputs are not finite, those in {FLOAT32} are"
            continue
        passes[name], finite = network.seconds, own
    return passes, failed


class _Network:
    """The parent in a type, on one record of a shard again and again."""

    def __init__(self, evaluator: Evaluator, shard: int, name: Dtype) -> None:
        dtype, own = DTYPES[name], evaluator.preparation
        self._task, self._host = evaluator.task, evaluator.host
        if dtype != evaluator.host.dtype:
            config_dir = evaluator.program.config_dir
            model = travelled(evaluator.host.model, Path(config_dir) if config_dir else None)
            self._host = ModelHost(model, evaluator.host.space, evaluator.device, dtype, own.channels_last)
        self._preparation = replace(own, dtype=dtype)
        self._records = evaluator.splits.datasets["select"].load(shard)

    def outputs(self, size: int) -> Outputs:
        """Of so many times the first record."""
        batch = self._task.batch(self._records, np.zeros(size, dtype=np.int64), self._preparation)
        with torch.inference_mode():
            return self._task.outputs(self._host.forward, batch)

    def seconds(self, size: int) -> float:
        """What its forward pass takes, the device's work included."""
        batch = self._task.batch(self._records, np.zeros(size, dtype=np.int64), self._preparation)
        self._wait()
        started = time.perf_counter()
        with torch.inference_mode():
            self._task.outputs(self._host.forward, batch)
        self._wait()
        return time.perf_counter() - started

    def _wait(self) -> None:
        if self._host.device.type == "cuda":
            torch.cuda.synchronize(self._host.device)


def reduced_type(device: torch.device) -> Dtype:
    """The type that may pay on a device: bfloat16, or float16 on a GPU that only emulates bfloat16."""
    return "float16" if device.type == "cuda" and slow_reason("bfloat16", device) else "bfloat16"


def slow_reason(dtype: str, device: torch.device) -> str:
    """Why a device computes slowly in a type, in some words; empty where it does not, or where nobody can say."""
    if dtype == FLOAT32:
        return ""
    if device.type == "cuda":
        with torch.cuda.device(device):
            slow = dtype == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False)
            return f"{torch.cuda.get_device_name(device)} only emulates {dtype}" if slow else ""
    asked = getattr(torch.cpu, "get_capabilities", None)  # newer than the oldest PyTorch that will do
    if asked is None or not lacks_instructions(dtype, asked()):
        return ""
    return f"the processor (CPU {torch.backends.cpu.get_cpu_capability()}) has no {dtype} instructions"


def lacks_instructions(dtype: str, capabilities: Mapping[str, object]) -> bool:
    """Whether a processor of a known architecture has nothing that computes in a reduced type."""
    known = str(capabilities.get("architecture", "")).lower().startswith(LISTED)
    return known and not any(capabilities.get(name) for name in INSTRUCTIONS[dtype])
