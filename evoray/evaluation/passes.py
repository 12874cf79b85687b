"""Passes of a network over a handful of images, and how their outputs are compared."""

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evoray.data.shard import Shard
from evoray.tasks.base import Batch, Preparation, Task
from evoray.tasks.outputs import tensors_of

SMALLER, LARGE = 96, 160
"""Pixels a side that are enough to judge a network by, and from which on that is worth a try."""
LOOKED_AT = 16
"""Images among which the one of most contrast is taken."""
Outputs = tuple[Tensor, ...]

ROUNDINGS = 128
"""Of ``as_rounded``: units in the last place by which weights are moved."""


@dataclass(frozen=True)
class Sample:
    """Batches of one image, as a task makes them.

    twice: the image in both rows. beside: in the second row, and in the first one that is far from any image; None
    where records have no one shape. alone: a batch of one. run: a network's outputs on a batch.
    """

    twice: Any
    beside: Any | None
    alone: Any
    run: Callable[[Callable[[Any], Any], Any], Any]


def sample_of(
    task: Task, records: Shard, rows: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...], dtype: torch.dtype
) -> Sample:
    """From some rows of a shard; mean and std as in ``Preparation``."""
    how = Preparation(torch.device("cpu"), dtype, False, mean, std)
    one = rows[_of_most_contrast(records, rows[:LOOKED_AT])]
    twice, beside, alone = (
        task.batch(records, np.array(chosen), how).inputs for chosen in ([one, one], [rows[-1], one], [one])
    )
    if isinstance(beside, Tensor) and beside.is_floating_point() and beside.shape == twice.shape:
        beside[0] = beside[0] * 3 + 1
    else:
        beside = None
    run = getattr(task, "probe", task.outputs)  # of a task whose outputs take many passes, one of them
    return Sample(twice, beside, alone, lambda network, batch: run(network, _batch(batch)))


def smaller(sample: Sample) -> Sample | None:
    """The middles of large images: what a network is a function of does not hang on their size. None for others."""

    def cut(images: Any) -> Any:
        top, left = ((size - SMALLER) // 2 for size in images.shape[2:])
        part = images[:, :, top : top + SMALLER, left : left + SMALLER]
        return torch.empty_like(part, memory_format=torch.contiguous_format).copy_(part)

    whole = sample.twice
    if not (isinstance(whole, Tensor) and whole.ndim == 4 and min(whole.shape[2:]) >= LARGE):
        return None
    beside = None if sample.beside is None else cut(sample.beside)
    return Sample(cut(whole), beside, cut(sample.alone), sample.run)


def with_negative(sample: Sample) -> Sample:
    """The same with the image's negative beside it: another image, of values that images have."""
    image = sample.twice[:1]
    pixels = tuple(range(2, image.ndim))
    low, high = (image.amin(pixels, keepdim=True), image.amax(pixels, keepdim=True)) if pixels else image.aminmax()
    beside = sample.twice.clone()
    beside[:1] = low + high - image
    return replace(sample, beside=beside)


def _batch(inputs: Any) -> Batch:
    return Batch(inputs, len(next(tensors_inside(inputs))))


def _of_most_contrast(records: Shard, rows: np.ndarray) -> int:
    """A black image would say nothing of most networks."""
    if not hasattr(records, "images"):
        return 0
    return int(np.argmax([float(np.std(records.images[row])) for row in rows]))


@dataclass
class Passes:
    """What a network said, pass after pass; each is given a copy of its batch."""

    sample: Sample
    writes_images: bool = False
    said: list[Outputs] = field(default_factory=list)

    def __call__(self, network: Callable[[Any], Any], batch: Any) -> Outputs:
        given = _copied(batch)
        with torch.inference_mode():
            found = tuple(tensor.clone() for tensor in tensors_of(self.sample.run(network, given)))
        self.writes_images = self.writes_images or not _same_images(given, batch)
        self.said.append(found)
        return found


def copied_images(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """A forward pre-hook: a network that writes into its images is given copies: other children need them."""
    return tuple(_copied(one) for one in args)


def _copied(batch: Any) -> Any:
    return batch.clone() if isinstance(batch, Tensor) else copy.deepcopy(batch)


def _same_images(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other) or equal((one,), (other,))
    return all(equal((a,), (b,)) for a, b in zip(tensors_inside(one), tensors_inside(other), strict=True))


def tensors_inside(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from tensors_inside(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_inside(one)


def as_was(now: Tensor | None, before: Tensor) -> bool:
    """In the type in which it is evaluated; a half-precision tensor was rounded to its own type first."""
    return now is not None and now.shape == before.shape and equal((before.to(now.dtype),), (now,))


def equal(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """Bit for bit, but that any NaN is like another and that zero has no sign."""
    if [tensor.shape for tensor in one] != [tensor.shape for tensor in other]:
        return False
    return all(
        torch.equal(a, b) or bool(((a == b) | ((a != a) & (b != b))).all()) for a, b in zip(one, other, strict=True)
    )


def close(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """Up to half of the type's digits, in the scale of the outputs; or so little that no loss would notice."""
    for a, b in zip(one, other, strict=True):
        if a.shape != b.shape:
            return False
        slack = max(torch.finfo(a.dtype).eps, torch.finfo(torch.float32).eps) ** 0.5 if a.is_floating_point() else 0.0
        scale = float(b.double().abs().nan_to_num(0, 0, 0).max()) if b.numel() else 0.0
        if not torch.allclose(a.double(), b.double(), rtol=0, atol=slack * max(scale, 0.1), equal_nan=True):
            return False
    return True


def distance(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    pairs = [(a.double() - b.double()).abs() for a, b in zip(one, other, strict=True) if a.shape == b.shape]
    return max((float(pair.max()) for pair in pairs if pair.numel()), default=float("inf"))


def as_rounded(model: nn.Module, one: Outputs, other: Outputs, again: Callable[[], Outputs]) -> bool:
    """Whether they differ by no more than ``one``, which ``again`` makes, does for weights that are off by a few of
    their last digits: kernels of other shapes round otherwise in every layer, and some networks multiply that."""
    before = [(tensor, tensor.detach().clone()) for tensor in model.parameters() if tensor.is_floating_point()]
    random = torch.Generator().manual_seed(0)
    try:
        with torch.no_grad():
            for tensor, values in before:
                signs = torch.randint(0, 2, values.shape, generator=random).to(values) * 2 - 1
                tensor.copy_(values + values.abs() * (ROUNDINGS * torch.finfo(values.dtype).eps) * signs)
        return distance(one, other) <= 4 * distance(again(), one)  # which is one draw of many
    finally:
        with torch.no_grad():
            for tensor, values in before:
                tensor.copy_(values)


def all_nan(outputs: Outputs) -> bool:
    return all(bool((tensor != tensor).all()) for tensor in outputs)


def row_of(outputs: Outputs, row: int) -> Outputs:
    return tuple(tensor[row : row + 1] for tensor in outputs)


def in_a_thread(work: Callable[[], Outputs]) -> Outputs:
    """A network that hangs on settings of this thread gives something else there, as it would on a worker."""
    found: list[Outputs] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="purity")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return found[0]
