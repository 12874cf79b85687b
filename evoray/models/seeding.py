"""Random numbers for building a network that are the run's own: no other thread of the process shares them.

PyTorch draws from one generator a process. Two runs in two threads, or a user's thread that draws meanwhile, would
change each other's random weights. While a network is built, this thread's draws come from a generator of its own, with
the numbers that ``torch.manual_seed(seed)`` would have given; a ``manual_seed`` of the user's own function counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_one_at_a_time = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """What this thread draws on the CPU inside is ``seed``'s; types and devices of new tensors are PyTorch's defaults.

    The process's own generator, default type and threads are as before afterwards.
    """
    with _one_at_a_time, torch.random.fork_rng(devices=[]), _usual_defaults():
        torch.manual_seed(seed)
        with _OwnGenerator(seed):
            yield


@contextmanager
def _usual_defaults() -> Iterator[None]:
    """A network is what a fresh process would build, whatever the user's program has set for itself."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"), torch.inference_mode(False), torch.enable_grad(), _no_autocast():
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def _no_autocast() -> Iterator[None]:
    with torch.autocast("cpu", enabled=False):
        yield


class _OwnGenerator(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hands every random operator of this thread a generator of its own.

    The process's generator stands where ``manual_seed(seed)`` left it, one draw later. If it is found at the beginning
    of a seed, then somebody has called ``manual_seed``: the user's function, and its seed is taken up.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._first = seed
        self._seed = seed
        self._generators = {seed: torch.Generator().manual_seed(seed)}
        _step()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags or kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        if any(one.device.type != "cpu" for one in args if isinstance(one, torch.Tensor)):
            return func(*args, **kwargs)
        taking = _taking_a_generator(func)
        if taking is None:
            return func(*args, **kwargs)
        return taking(*args, **kwargs, generator=self._generator())

    def _generator(self) -> torch.Generator:
        seed = torch.default_generator.initial_seed()
        if _is_fresh(seed):
            self._generators[seed] = torch.Generator().manual_seed(seed)
            _step()
        return self._generators.setdefault(seed, torch.Generator().manual_seed(seed))


def _step() -> None:
    torch.empty(1).uniform_(generator=torch.default_generator)


def _is_fresh(seed: int) -> bool:
    return torch.equal(torch.default_generator.get_state(), torch.Generator().manual_seed(seed).get_state())


def _taking_a_generator(func: Any) -> Any:
    """The operator, or its twin, that takes a generator by name; None where there is none."""
    if any(argument.name == "generator" for argument in func._schema.arguments):
        return func
    overload = "generator" if func._overloadname == "default" else f"{func._overloadname}_generator"
    return getattr(func.overloadpacket, overload, None)
