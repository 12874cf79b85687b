"""Before a run: does a user's fitness work on the parent's outputs, and is it a function of them alone?

Children are compared by what it gives each of them, on several workers and in any order. One that counts its calls,
keeps a running mean or draws random numbers gives each child something else for nothing. So it is called again on the
same outputs, with others in between, and as its module is when it is imported anew.
"""

import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import torch
from torch import Tensor

from evoray.errors import ConfigError, EvorayError
from evoray.fitness.base import Fitness
from evoray.fitness.constraints import Constrained
from evoray.fitness.user import AnswerError, MeanScore, MergeableScore, user_fitness
from evoray.runtime.origin import told
from evoray.runtime.seeds import generators
from evoray.tasks.base import Outputs
from evoray.tasks.outputs import some_of, tensors_of

ROWS, OF_EACH, NUMBERS = 64, 2, 2**23
"""Records that are made up of the parent's outputs: at least, of each class, and how many numbers they may have."""
CALLS, SECONDS = 20, 0.05
"""Calls on the same outputs, and how long these may take."""
ROUNDING = 1e-6
"""Relative; a function that draws no random numbers may round otherwise for memory that lies otherwise."""
ALONE = (
    "Its answer has to depend on (outputs, targets) alone: keep nothing between calls (reset() a metric, or make it "
    "inside the function), and draw random numbers from a generator seeded in each call"
)
BUGS = (AttributeError, ImportError, NameError, TypeError, AnswerError, SystemExit)
"""What no number of records mends."""
Records = tuple[Outputs, Tensor]
User = MeanScore | MergeableScore


@dataclass(frozen=True)
class Tried:
    """one_number: it gives one number for all records. failed: why it gave nothing on few records, where it did."""

    one_number: bool = False
    failed: str | None = None


def try_fitness(
    fitness: Fitness, outputs: Outputs, targets: Tensor, labels: Sequence[int] | None, config_dir: Path | None
) -> Tried | None:
    """Calls a user's function on the parent's outputs of some records; None where the fitness is not a user's.

    Args:
        labels: every class's target; None where targets are no classes.

    Raises:
        ConfigError: it raises, returns no scores, gives no finite number, or depends on more than what it is given.
    """
    user = fitness.fitness if isinstance(fitness, Constrained) else fitness
    if not isinstance(user, MeanScore | MergeableScore):
        return None
    few, many = (outputs, targets), None if labels is None else _made_up(outputs, targets, labels)
    failed = _failure(user, few, config_dir)
    if failed is not None:
        error, words = failed
        if not isinstance(error, BUGS):
            if many is None:
                return Tried(failed=words)
            again = _failure(user, many, config_dir)
            if again is None:
                _check_repeats(user, many, few, config_dir)
                return Tried(failed=words)
            words = again[1]
        _refuse(user, words)
    _check_repeats(user, few if many is None else many, few, config_dir)
    return Tried(isinstance(user, MeanScore) and user.answer(outputs, targets).ndim == 0)


def _made_up(outputs: Outputs, targets: Tensor, labels: Sequence[int]) -> Records | None:
    """The parent's rows in other order beside targets of every class, some right and some wrong; None: too many."""
    count = max(ROWS, OF_EACH * len(labels))
    if count * max(tensor[:1].numel() for tensor in tensors_of(outputs)) > NUMBERS:
        return None
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(targets), (count,), generator=generator)
    numbers = torch.randperm(count, generator=generator) % len(labels)
    with torch.inference_mode():  # as the outputs are: they cannot be written into
        return some_of(outputs, rows), torch.tensor(list(labels), dtype=targets.dtype)[numbers]


def _failure(user: User, records: Records, config_dir: Path | None) -> tuple[BaseException, str] | None:
    """The exception and what is to be said of it; a number that is not finite is one too."""
    count = len(records[1])
    try:
        answer = user.answer(*records)
    except EvorayError:
        raise
    except AnswerError as error:
        return error, str(error)
    except SystemExit as error:
        return error, f"it ends the program: {told(error, config_dir)} Raise an exception, or return a number."
    except Exception as error:
        return error, f"it raised {told(error, config_dir)} ({count} records, with the parent's outputs)"
    wrong = int((~answer.isfinite()).sum())
    if wrong == 0:
        return None
    of = f"for {wrong} of {count} records" if answer.ndim else f"for {count} records"
    words = f"it gives NaN or infinity {of} with the parent's outputs. Guard its logarithms and divisions"
    return (AnswerError if answer.ndim else ValueError)(words), f"{words}."


def _check_repeats(user: User, records: Records, others: Records, config_dir: Path | None) -> None:
    """Raises ConfigError where it gives something else when it is called again."""
    between = (others[0], others[1].flip(0))
    drawn = generators()
    first = user.answer(*records)
    exact = drawn != generators()
    end, calls = time.perf_counter() + SECONDS, 1
    while calls < 2 or (calls < CALLS and time.perf_counter() < end):
        calls += 1
        if not _same(first, again := user.answer(*records), exact):
            _differs(user, f"call {calls} on the same outputs gives", first, again)
    beside = _tried(lambda: user.answer(*between))
    if not _same(first, again := user.answer(*records), exact):
        _differs(user, "after a call on other outputs, the same outputs give", first, again)
    fresh = _fresh(user, config_dir)
    if fresh is None:
        return
    _tried(lambda: fresh.answer(*between))
    _tried(lambda: fresh.answer(*_turned(records)))  # an answer kept by the number of records is of these then
    anew = _tried(lambda: fresh.answer(*records))
    if anew is not None and beside is not None and not _same(first, anew, exact):
        _differs(user, "imported anew and called on other outputs first, it gives", first, anew)


def _turned(records: Records) -> Records:
    """As many, with the outputs in reverse."""
    with torch.inference_mode():
        return some_of(records[0], torch.arange(len(records[1]) - 1, -1, -1)), records[1]


def _tried(call: Callable[[], Tensor]) -> Tensor | None:
    try:
        return call()
    except (Exception, SystemExit):  # as on too few records
        return None


def _fresh(user: User, config_dir: Path | None) -> User | None:
    """The same of a module that is imported once more, as by a worker; None where it does not lie in the folder."""
    name, _, attribute = user.name.partition(":")
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if config_dir is None or file is None or not Path(file).resolve().is_relative_to(config_dir.resolve()):
        return None
    alias = f"{name}_anew"
    spec = importlib.util.spec_from_file_location(alias, file)
    if spec is None or spec.loader is None or alias in sys.modules:
        return None
    again: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[alias] = again  # dataclasses look their module up
    try:
        spec.loader.exec_module(again)
        found: Any = again
        for part in attribute.split("."):
            found = getattr(found, part)
        return user_fitness(user.name, user.layout.columns, found)
    except (Exception, SystemExit):  # it can be imported once only
        return None
    finally:
        sys.modules.pop(alias, None)


def _same(first: Tensor, again: Tensor, exact: bool) -> bool:
    slack = 0.0 if exact else ROUNDING
    return first.shape == again.shape and torch.allclose(first, again, rtol=slack, atol=slack, equal_nan=True)


def _differs(user: User, what: str, first: Tensor, again: Tensor) -> NoReturn:
    if first.shape != again.shape:
        _refuse(user, f"{what} shape {[*again.shape]}, where the first gave {[*first.shape]}. {ALONE}.")
    one, other = (tensor.flatten()[(first != again).flatten()][:1].item() for tensor in (first, again))
    _refuse(user, f"{what} {other:.6g}, where the first call gave {one:.6g}. {ALONE}.")


def _refuse(user: User, words: str) -> NoReturn:
    raise ConfigError(f"fitness.name = {user.name!r}: {words}")
