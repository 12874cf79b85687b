"""What EvoRay is measured against: a loop of one's own, and EvoTorch; each in a process of its own.

EvoRay changes how its process treats memory (``runtime/malloc.py``), and whoever else ran there would gain by it.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from evoray.errors import EvaluationError
from evoray.evaluation.program import DTYPES

Loop = Callable[[int], None]
"""One child, by number."""
Taken = tuple[float, float]
"""Seconds by the clock, and of the process's CPU time."""
Timed = Callable[[int], Taken]
SIGMA = 0.05
"""Of every child that is measured."""
Other = tuple[str, Callable[..., Loop | None], tuple[Any, ...]]
"""(name, how it is made, what it takes beside the setting of all)"""
OTHERS = ("naive", "naive_dtype", "evotorch")
"""Of these ``naive_dtype`` is the naive loop in EvoRay's type; the other two run in float32, whatever that is."""


def take(work: Callable[[], None]) -> Taken:
    """What some work takes, the device's included."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    _synchronise()
    return time.perf_counter() - wall, time.process_time() - cpu


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def naive_loop(
    parent: nn.Module, images: Tensor, batch_size: int, density: float, device: str, dtype: torch.dtype = torch.float32
) -> Loop:
    """A copy of the parent, dense noise under a dense mask, one type throughout, a plain loop, and the parent loaded
    again."""
    batches = torch.split(images.to(device, dtype), batch_size)
    parent = parent.to(device, dtype)

    def run(number: int) -> None:
        child = copy.deepcopy(parent)
        generator = torch.Generator(device=device).manual_seed(number)
        with torch.no_grad():
            for weight in child.parameters():
                noise = torch.randn(weight.shape, generator=generator, device=device, dtype=dtype)
                mask = torch.rand(weight.shape, generator=generator, device=device) < density
                weight.add_(SIGMA * weight.std() * noise * mask if weight.numel() > 1 else SIGMA * noise * mask)
            for batch in batches:
                torch.softmax(child(batch), dim=1)
        child.load_state_dict(parent.state_dict())

    return run


def evotorch_loop(parent: nn.Module, images: Tensor, batch_size: int, density: float, device: str) -> Loop | None:
    """One solution of EvoTorch's NEProblem, dense Gaussian noise around the parent; None where it is not installed."""
    try:
        from evotorch.neuroevolution import NEProblem
    except ImportError:
        return None
    batches = torch.split(images.to(device), batch_size)
    network = parent.to(device)
    centre = torch.nn.utils.parameters_to_vector(network.parameters()).detach().clone()

    def confidence(child: nn.Module) -> Tensor:
        with torch.no_grad():
            parts = [torch.softmax(child.eval()(batch), dim=1).amax(dim=1) for batch in batches]
        return torch.cat(parts).mean()

    problem = NEProblem("max", network, confidence, device=centre.device)
    solutions = problem.generate_batch(1)

    def run(number: int) -> None:
        generator = torch.Generator(device=centre.device).manual_seed(number)
        noise = torch.randn(centre.shape, generator=generator, device=centre.device)
        solutions.set_values((centre + SIGMA * centre.std() * noise)[None])
        problem.evaluate(solutions)

    return run


def others_of(dtype: str, naive: bool, evotorch: bool) -> list[Other]:
    """Those that are wanted. In float32 ``naive_dtype`` would be the naive loop again, which then stands for both."""
    found: list[Other] = []
    if naive:
        found.append(("naive", naive_loop, ()))
    if naive and dtype != "float32":
        found.append(("naive_dtype", naive_loop, (DTYPES[dtype],)))
    if evotorch:
        found.append(("evotorch", evotorch_loop, ()))
    return found


def shared_loops(seconds: dict[str, list[Taken]], dtype: str) -> dict[str, list[Taken]]:
    """In float32 the naive loop's seconds under ``naive_dtype`` as well."""
    return seconds | {"naive_dtype": seconds["naive"]} if dtype == "float32" and "naive" in seconds else seconds


def types_of(dtype: str) -> dict[str, str]:
    """In which type each contestant runs."""
    return {"forward": dtype, "evoray": dtype, "naive": "float32", "naive_dtype": dtype, "evotorch": "float32"}


class OwnProcess:
    """A loop that is made and run in a process of its own. ``there`` says whether it could be made.

    Raises:
        EvaluationError: its process died.
    """

    def __init__(self, make: Callable[..., Loop | None], setting: tuple[Any, ...], name: str) -> None:
        context = torch.multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._name = name
        arguments = (theirs, make, setting, torch.get_num_threads())
        self._process = context.Process(target=_contest, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self.there: bool = self._answer()

    def __call__(self, number: int) -> Taken:
        self._pipe.send(number)
        return self._answer()  # type: ignore[no-any-return]

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pipe.close()
        self._process.join()

    def _answer(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            raise EvaluationError(
                f"the process of {self._name} died (exit code {code}): -9 is a lack of memory. Leave it out with "
                "--no-naive, or give fewer --images."
            ) from None


def _contest(pipe: Any, make: Callable[..., Loop | None], setting: tuple[Any, ...], threads: int) -> None:
    torch.set_num_threads(threads)
    loop = make(*setting)
    pipe.send(loop is not None)
    with contextlib.suppress(EOFError):
        while loop is not None:
            number = pipe.recv()
            pipe.send(take(lambda: loop(number)))  # noqa: B023
