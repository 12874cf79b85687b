"""What a network does with a batch, operation by operation, so that its last part can be done again alone.

The operations are those that PyTorch's dispatcher sees (``TorchDispatchMode``): whatever the network's Python code
is, this is the order in which its kernels run, and running the same kernels on the same values gives the same bits.
Recording concerns the calling thread alone, unlike ``torch.fx``'s tracer, which replaces methods of ``nn.Module`` for
the whole process while it looks. A tape knows one shape of batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from evoray.evaluation.kept.flops import flops
from evoray.tasks.base import Batch
from evoray.tasks.opening import Opening

CPU = torch.device("cpu")
Owner = Callable[[Tensor], Iterable[int]]
"""Of a tensor, those of the space (by number) whose memory it shares."""
Network = Callable[..., Any]


class Unrepeatable(Exception):  # noqa: N818 (no error of the user's: there is another way)
    """The network's operations are not the same for every batch; says why."""


@dataclass(frozen=True)
class Ref:
    """A value: an input or what an operation gave (number >= 0), or ``Tape.constants[~number]``."""

    number: int


@dataclass(frozen=True)
class Operation:
    """args, kwargs: with a Ref for each tensor. gives: the numbers of the values that it returns, None for what is no
    tensor; several: whether it returns a sequence. writes: to which storages. flops: of products and convolutions."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    gives: tuple[int | None, ...]
    several: bool
    writes: frozenset[int]
    flops: int

    def reads(self) -> Iterator[int]:
        """Numbers of the values that it is given, constants apart."""
        for one in tree_leaves((self.args, self.kwargs)):
            if isinstance(one, Ref) and one.number >= 0:
                yield one.number


@dataclass
class Tape:
    """storage, nbytes: of each value, in which memory it lies, and its size. inputs: the first so many values.

    first_use: of a tensor of the space (by number), the first operation that is given it. output: what the network
    returned, with a Ref for each tensor. later: flops of the passes that follow this one, nothing of which is kept.
    """

    inputs: int
    operations: list[Operation] = field(default_factory=list)
    constants: list[Tensor] = field(default_factory=list)
    storage: list[int] = field(default_factory=list)
    nbytes: list[int] = field(default_factory=list)
    first_use: dict[int, int] = field(default_factory=dict)
    output: Any = None
    later: int = 0


def record(
    run: Callable[[], Any], inputs: Sequence[Tensor], owner: Owner, device: torch.device = CPU
) -> tuple[Tape, Any]:
    """The tape of a network's call on a device, and what it returned. Raises Unrepeatable."""
    recorder = _Recorder(inputs, owner, device)
    with recorder:
        output = run()
    recorder.tape.output = tree_map(recorder.ref, output)
    return recorder.tape, output


def record_network(network: Network, use: Callable[[Network], Any], owner: Owner, device: torch.device = CPU) -> Tape:
    """The tape of a network's call in ``use``, which is given what to call in its place. Raises Unrepeatable, also
    where it is not called just once."""
    found: list[Tape] = []

    def recorded(*args: Any, **kwargs: Any) -> Any:
        if found:
            raise Unrepeatable("the task runs the network several times for a batch")
        tape, output = record(partial(network, *args, **kwargs), tensors_in((args, kwargs)), owner, device)
        found.append(tape)
        return output

    with torch.inference_mode():
        use(recorded)
    if not found:
        raise Unrepeatable("the task does not run the network")
    return found[0]


def record_opening(
    opening: Opening, network: Network, batch: Batch, owner: Owner, device: torch.device = CPU, later: bool = True
) -> Tape:
    """The tape of a task's opening of a network, on a copy of a batch; later: with what the passes after it take."""

    def of(given: Batch) -> Tape:
        return record_network(opening.of(network), lambda run: opening.begin(run, made_here(given)), owner, device)

    tape = of(batch)
    if later and opening.later:
        tape.later = opening.later * sum(one.flops for one in of(opening.short(batch)).operations)
    return tape


def made_here(batch: Batch, turned: bool = False) -> Batch:
    """A copy; turned: with its records in reverse.

    Copies made in inference mode are all of one kind: some operations arrive whole where they are given such tensors,
    and in parts where they are given others.
    """

    def made(one: Any) -> Any:
        if not isinstance(one, Tensor):
            return one
        return torch.empty_like(one).copy_(one.flip(0) if turned and one.ndim else one)

    return Batch(tree_map(made, batch.inputs), batch.count, tree_map(made, batch.beside))


def tensors_in(values: Any) -> list[Tensor]:
    return [one for one in tree_leaves(values) if isinstance(one, Tensor)]


def repeated(function: Any) -> Any:
    """What does an operation again: a number in Python's code becomes a new tensor each time, for it may be written."""
    aten = torch.ops.aten
    return aten.lift_fresh_copy.default if function is aten.lift_fresh.default else function


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation of this thread."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """The compiler would be imported to be kept out."""
        return False


class Uses(Mode):  # type: ignore[no-untyped-call]
    """Sees which tensors of a space operations are given.

    first: of each that was, the first operation, in the order of first use; tensors that one operation is given follow
    the order of its arguments.
    """

    supports_higher_order_operators = True

    def __init__(self, owner: Owner) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.first: dict[int, int] = {}
        self._owner, self._done = owner, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.see(tensors_in((args, kwargs)))
        return func(*args, **(kwargs or {}))

    def see(self, given: Sequence[Tensor]) -> None:
        """One more operation."""
        for tensor in given:
            for number in self._owner(tensor):
                self.first.setdefault(number, self._done)
        self._done += 1


class _Recorder(Uses):  # type: ignore[no-untyped-call]
    supports_higher_order_operators = False

    def __init__(self, inputs: Sequence[Tensor], owner: Owner, device: torch.device) -> None:
        super().__init__(owner)
        self.tape = Tape(len(inputs), first_use=self.first)
        self._device = device
        self._known: Any = WeakTensorKeyDictionary()
        for tensor in inputs:
            self._new(tensor, {})

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        func, kwargs = repeated(func), kwargs or {}
        tensors = tensors_in((args, kwargs))
        _check_repeatable(func, tensors)
        self.see(tensors)
        given, named = tree_map(self.ref, (args, kwargs))
        memory = {_address(one): self._storage_of(one) for one in tensors}
        written = frozenset(self._storage_of(one) for one in _written(func, args, kwargs))
        result = _without_chance(func, args, kwargs, self._device)
        several = isinstance(result, list | tuple)
        if any(isinstance(one, bool | int | float | complex) for one in (result if several else [result])):
            raise Unrepeatable(f"what {func} gives its code depends on the batch")
        gives = tuple(
            self._new(one, memory) if isinstance(one, Tensor) else None for one in (result if several else [result])
        )
        count = flops(func, args, kwargs, result)
        self.tape.operations.append(Operation(func, given, named, gives, several, written, count))
        return result

    def ref(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        number = self._known.get(value)
        if number is None:  # neither an input nor made here
            number = self._known[value] = ~len(self.tape.constants)
            self.tape.constants.append(value)
        return Ref(number)

    def _new(self, tensor: Tensor, memory: dict[int, int]) -> int:
        known = self._known.get(tensor)
        if known is not None:  # an operation in place gives what it was given
            return int(known)
        number = self._known[tensor] = len(self.tape.storage)
        self.tape.storage.append(memory.get(_address(tensor), number) if tensor.numel() else number)
        self.tape.nbytes.append(tensor.untyped_storage().nbytes())
        return number

    def _storage_of(self, tensor: Tensor) -> int:
        number: int = self.ref(tensor).number
        return self.tape.storage[number] if number >= 0 else number


def _check_repeatable(func: Any, tensors: list[Tensor]) -> None:
    """Refuses what depends on the values of a batch: numbers for Python's code, shapes, and so what comes next."""
    by_mask = func._overloadpacket is not torch.ops.aten.index or any(
        one.dtype in (torch.bool, torch.uint8) for one in tensors[1:]
    )
    if torch.Tag.data_dependent_output in func.tags or (torch.Tag.dynamic_output_shape in func.tags and by_mask):
        raise Unrepeatable(f"what {func} gives its code depends on the batch")


def _without_chance(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], device: torch.device) -> Any:
    """Dropout is in many networks, and draws nothing in evaluation mode."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return func(*args, **kwargs)
    before = _generators(device)
    result = func(*args, **kwargs)
    if _generators(device) != before:
        raise Unrepeatable(f"{func} draws random numbers")
    return result


def _generators(device: torch.device) -> list[bytes]:
    """Their states: the host's, and that of the device where it is a GPU; another GPU is not asked."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return [state.numpy().tobytes() for state in states]


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """The tensors that an operation changes, as its schema says."""
    for number, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = args[number] if number < len(args) else kwargs.get(argument.name)
            yield from (one for one in tree_leaves(given) if isinstance(one, Tensor))
