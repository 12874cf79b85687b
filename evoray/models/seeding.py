"""Random numbers for building a network that are the run's own: no other thread of the process shares them.

PyTorch draws from one generator a process. Two runs in two threads, or a user's thread that draws meanwhile, would
change each other's random weights. While a network is built, this thread's draws come from a generator of its own, with
the numbers that ``torch.manual_seed(seed)`` would have given; a ``manual_seed`` of the user's own function counts.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_one_at_a_time = threading.RLock()
DRAWN = 65_537
"""A prime, so that rows of matrices are no copies of each other."""
_FILLING = (torch.ops.aten.normal_.default, torch.ops.aten.uniform_.default)
_PROCESS, _NAME = torch.default_generator, "default_generator"


@contextmanager
def seeded(seed: int, quick: bool = False) -> Iterator[None]:
    """What this thread draws on the CPU inside is ``seed``'s; types and devices of new tensors are PyTorch's defaults.

    quick: large tensors are filled with copies of their first DRAWN numbers, for a network that is loaded afterwards.
    The process's own generator and default type are as before afterwards.
    """
    with _one_at_a_time, _usual_defaults():
        own = torch.Generator().manual_seed(seed)
        setattr(torch.random, _NAME, _ThisThreads(own))
        try:
            with _OwnGenerator(own, quick):
                yield
        finally:
            setattr(torch.random, _NAME, _PROCESS)


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
    """Hands every random operator of this thread, on the CPU, a generator."""

    def __init__(self, generator: torch.Generator, quick: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator, self._quick = generator, quick

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """The compiler would be imported to be kept out, which takes longer than most networks take to build."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags or kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        if func in _FILLING and args[0].is_meta:
            return args[0]
        if any(one.device.type != "cpu" for one in args if isinstance(one, torch.Tensor)):
            return func(*args, **kwargs)
        if self._quick and func in _FILLING and args[0].numel() > DRAWN and args[0].is_contiguous():
            return _filled(func, *args, **kwargs, generator=self._generator)
        taking = _taking_a_generator(func)
        if taking is not None:
            return taking(*args, **kwargs, generator=self._generator)
        before = _PROCESS.get_state()  # an operator that takes no other generator
        try:
            _PROCESS.set_state(self._generator.get_state())
            value = func(*args, **kwargs)
            self._generator.set_state(_PROCESS.get_state())
        finally:
            _PROCESS.set_state(before)
        return value


def _filled(func: Any, tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    flat, done = tensor.view(-1), DRAWN
    func(flat[:done], *args, **kwargs)
    while done < len(flat):
        more = min(done, len(flat) - done)
        flat[done : done + more] = flat[:more]
        done += more
    return tensor


class _ThisThreads:
    """Stands for the process's generator in ``torch.random``: this thread's ``manual_seed`` and states are its own."""

    def __init__(self, generator: torch.Generator) -> None:
        self._own, self._thread = generator, threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own if threading.get_ident() == self._thread else _PROCESS, name)


def _taking_a_generator(func: Any) -> Any:
    """The operator, or its twin, that takes a generator by name; None where there is none."""
    if any(argument.name == "generator" for argument in func._schema.arguments):
        return func
    overload = "generator" if func._overloadname == "default" else f"{func._overloadname}_generator"
    return getattr(func.overloadpacket, overload, None)
