"""How PyTorch is set while children are evaluated, and how it is put back.

Algorithms and precision change last bits, so they are a recorded part of a run, and no program that calls ``evolve``
decides them. PyTorch holds them for the whole process: a worker process sets them for its life, one that is its user's
own for as long as it needs them.
"""

import contextlib
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

from evoray.errors import BackendError
from evoray.evaluation.program import Program

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Read by cuBLAS once; without it deterministic algorithms are refused."""

SETTINGS: tuple[tuple[Any, str], ...] = (
    (torch.utils.deterministic, "fill_uninitialized_memory"),
    (torch.backends.cudnn, "benchmark"),
)
"""What is written here and can be asked for by itself."""
MATMUL = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]
CONVOLUTION = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn)  # type: ignore[attr-defined]
"""Precision by PyTorch's new names. Whoever writes an old name writes these as well, but not the other way round; and
an old name cannot be asked for while these say otherwise."""


class _Saved:
    """The process's settings as they were found, for any device: those under PyTorch's old names and its new ones."""

    def __init__(self) -> None:
        self._workspace = os.environ.get(WORKSPACE)
        self._dtype = torch.get_default_dtype()
        self._debug_mode = torch.get_deterministic_debug_mode()
        self._values = [getattr(owner, name) for owner, name in SETTINGS]
        self._precisions = [owner.fp32_precision for owner in (*MATMUL, *CONVOLUTION)]
        self._matmul: str = _asked(torch.get_float32_matmul_precision, MATMUL, "ieee", "highest")
        self._allow_tf32: bool = _asked(lambda: torch.backends.cudnn.allow_tf32, CONVOLUTION, "tf32", False)

    def restore(self) -> None:
        if self._workspace is None:
            os.environ.pop(WORKSPACE, None)
        torch.set_default_dtype(self._dtype)
        torch.set_deterministic_debug_mode(self._debug_mode)
        for (owner, name), value in zip(SETTINGS, self._values, strict=True):
            setattr(owner, name, value)
        # old names first, for they write the new ones
        torch.set_float32_matmul_precision(self._matmul)
        torch.backends.cudnn.allow_tf32 = self._allow_tf32
        for owner, precision in zip((*MATMUL, *CONVOLUTION), self._precisions, strict=True):
            owner.fp32_precision = precision


def _asked(what: Callable[[], Any], new: Sequence[Any], agreed: str, otherwise: Any) -> Any:
    """What an old name says; where the new ones say otherwise, with all of them as ``agreed`` for as long.

    otherwise: what it says if it cannot be asked for then either.
    """
    with warnings.catch_warnings(), contextlib.suppress(RuntimeError):
        warnings.simplefilter("ignore")  # PyTorch 2.9 warns of its own old names
        return what()
    before = [owner.fp32_precision for owner in new]
    try:
        for owner in new:
            owner.fp32_precision = agreed
        return what()
    except RuntimeError:
        return otherwise
    finally:
        for owner, precision in zip(new, before, strict=True):
            owner.fp32_precision = precision


_lock = threading.Lock()
_contexts: list[bool | None] = []
"""``deterministic`` of those that are open; None of one on the CPU, where it changes nothing."""
_saved: _Saved | None = None


@contextmanager
def like_a_worker(program: Program) -> Iterator[None]:
    """For who evaluates here without a backend: this thread and the process set as a worker's, for as long."""
    before = torch.get_num_threads()
    with settings_for(program), like_a_fresh_thread():
        torch.set_num_threads(program.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def settings_for(program: Program) -> AbstractContextManager[None]:
    """What a program needs set for the whole process."""
    return process_settings(program.deterministic if program.device.startswith("cuda") else None)


@contextmanager
def like_a_fresh_thread() -> Iterator[None]:
    """What the caller has set for this thread alone is not seen inside: autocast, a default device, inference mode,
    NumPy's way with overflows."""
    with (
        torch.device("cpu"),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast("cpu", enabled=False),
        torch.autocast("cuda", enabled=False) if torch.cuda.is_available() else nullcontext(),
        np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"),
    ):
        yield


@contextmanager
def process_settings(deterministic: bool | None) -> Iterator[None]:
    """Full float32, and on a GPU (not None) pinned algorithms if ``deterministic``.

    The last context that is left puts back what was there.

    Raises:
        BackendError: another context is open and wants it otherwise.
    """
    global _saved
    with _lock:
        if deterministic is not None and (not deterministic) in _contexts:
            raise BackendError(
                f"compute.deterministic = {str(deterministic).lower()}: another run in this process was begun with "
                "the opposite, and PyTorch has one setting a process. Close its backend first, or set both alike."
            )
        _saved = _saved or _Saved()
        _contexts.append(deterministic)
    try:
        _set(deterministic)
        yield
    finally:
        with _lock:
            _contexts.remove(deterministic)
            if not _contexts and _saved is not None:
                _saved.restore()
                _saved = None


def _set(deterministic: bool | None) -> None:
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision("highest")
    if deterministic is None:
        return
    if deterministic:
        os.environ.setdefault(WORKSPACE, ":4096:8")
        torch.use_deterministic_algorithms(True)
        # it would write NaN to every activation before a kernel does; nothing here reads what it has not written
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.allow_tf32 = False
