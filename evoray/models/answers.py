"""What a parent's forward takes and gives: images in, logits out; else how its user wraps it, in a line."""

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from evoray.errors import ModelError
from evoray.runtime.reading import shown

WRAP = "Return a module of your own that holds it as self.net, with def forward(self, x): return "
LISTED, DEPTH = 6, 3


def check_call(model: nn.Module) -> None:
    """Raises ModelError where ``forward`` cannot be called with a batch of images alone."""
    if getattr(type(model), "forward", nn.Module.forward) is nn.Module.forward and "forward" not in vars(model):
        raise ModelError(
            f"the parent {type(model).__name__} has no forward. Write def forward(self, x), images to logits."
        )
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):  # compiled: only trying tells
        return
    try:
        signature.bind(None)
    except TypeError:
        various = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        given = [one for one in signature.parameters.values() if one.kind not in various]
        names = [one.name for one in given if one.default is one.empty]
        keyword = [one.name for one in given if one.kind is one.KEYWORD_ONLY]
        call = f"self.net({keyword[0]}=x)" if keyword == names and len(names) == 1 else "self.net(x, …)"
        call = call if names else "… of the images x"
        raise ModelError(
            f"the parent's forward takes {shown(', '.join(names), 80) or 'nothing'}, and EvoRay gives it a batch of "
            f"images alone. {WRAP}{call}."
        ) from None


def logits_of(answer: Any, images: int, classes: int) -> Tensor:
    """The answer itself: logits [images, outputs] of a floating type, with at least as many outputs as classes.

    Raises:
        ModelError: it is something else; says where in it logits may be, and what forward has to return.
    """
    if not isinstance(answer, Tensor):
        raise ModelError(
            f"the parent returned {_described(answer)}, not a tensor of logits [images, classes]. "
            f"{_remedy(answer, images, classes)}"
        )
    if not answer.is_floating_point():
        kind = str(answer.dtype).removeprefix("torch.")
        raise ModelError(
            f"the parent returned {kind} {list(answer.shape)}, and logits [images, classes] are floating-point. "
            "Return the scores before argmax, rounding or comparison."
        )
    if answer.layout is not torch.strided:
        raise ModelError(f"the parent returned a sparse tensor. {WRAP}self.net(x).to_dense().")
    if answer.ndim != 2 or len(answer) != images:
        raise ModelError(
            f"the parent returned {list(answer.shape)} for {images} images: it has to return logits [images, classes]. "
            f"{_reshaped(answer, images, classes)}"
        )
    if answer.shape[1] < classes:
        binary = " A single logit z of two classes is torch.cat([torch.zeros_like(z), z], 1)."
        raise ModelError(
            f"the parent has {answer.shape[1]} outputs, the data {classes} classes. Take data of its classes, or a "
            f"parent with an output for each.{binary if (answer.shape[1], classes) == (1, 2) else ''}"
        )
    return answer


def _described(answer: Any) -> str:
    if answer is None:
        return "None"
    name = type(answer).__name__
    if isinstance(answer, Mapping):
        return f"a {name} with {shown(', '.join(map(str, list(answer)[:LISTED])), 120) or 'nothing in it'}"
    if isinstance(answer, list | tuple):
        return f"a {name} of {len(answer)}"
    return f"a {name}"


def _remedy(answer: Any, images: int, classes: int) -> str:
    if answer is None:
        return "Its forward ends without a return: add one."
    if inspect.isgenerator(answer):
        return "Its forward says yield: say return."
    if type(answer).__module__ == "numpy":
        return "Return the tensor that this is made of."
    found = list(_tensors(answer, ""))
    fits = [
        where
        for where, one in found
        if one.is_floating_point() and one.ndim == 2 and len(one) == images and one.shape[1] >= classes
    ]
    if not fits:
        there = ", ".join(f"{where} is {list(one.shape)}" for where, one in found[:LISTED])
        return f"There are none in it{f' ({shown(there, 200)})' if there else ''}. {WRAP}the logits."
    others = f" {shown(', '.join(fits[1:LISTED]), 120)} would fit too: take what is meant." if fits[1:] else ""
    return f"{WRAP}self.net(x){fits[0]}.{others}"


def _tensors(value: Any, where: str, depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """How each tensor inside is reached, ``.logits`` or ``["logits"]`` or ``[0]``; logits first where one says so."""
    if isinstance(value, Tensor):
        yield where, value
    elif depth < DEPTH:
        parts = list(_parts(value))
        for step, part in sorted(parts, key=lambda one: "logits" not in one[0]):
            yield from _tensors(part, where + step, depth + 1)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        dotted = type(value) is not dict
        for key, part in value.items():
            reached = dotted and isinstance(key, str) and getattr(value, key, None) is part
            yield (f".{key}" if reached else f"[{_quoted(key)}]"), part
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from ((f".{name}", getattr(value, name)) for name in value._fields)
    elif isinstance(value, list | tuple):
        yield from ((f"[{number}]", part) for number, part in enumerate(value))
    elif dataclasses.is_dataclass(value):
        yield from ((f".{one.name}", getattr(value, one.name, None)) for one in dataclasses.fields(value))
    elif hasattr(value, "__dict__"):
        yield from ((f".{name}", part) for name, part in vars(value).items())


def _quoted(key: Any) -> str:
    return f'"{key}"' if isinstance(key, str) else repr(key)


def _reshaped(answer: Tensor, images: int, classes: int) -> str:
    """What a tensor of another shape may be, and what makes logits of it."""
    shape = list(answer.shape)
    if shape[:1] == [images] and len(shape) > 2:
        if sum(size > 1 for size in shape[1:]) <= 1 and answer[0].numel() >= classes:
            return f"{WRAP}self.net(x).flatten(1)."
        if len(shape) == 4 and shape[1] >= classes:
            return f"Scores of every place in an image? {WRAP}self.net(x).mean((2, 3)), if that is how it was trained."
        if len(shape) == 3 and shape[2] >= classes:
            return f"A row for every token? {WRAP}self.net(x)[:, 0], or the mean, as it was trained."
    if len(shape) == 2 and shape[1] == images and shape[0] >= classes:
        return f"Classes before images? {WRAP}self.net(x).T."
    if shape == [images] and classes == 2:
        return "One logit z an image? For two classes return torch.stack([torch.zeros_like(z), z], 1)."
    if shape == [images]:
        return "One number an image? Return a score for every class."
    return "Keep the images' dimension first, also for a batch of one, and return a score for every class."
