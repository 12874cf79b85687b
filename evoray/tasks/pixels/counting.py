"""What a network's maps of scores say of masks: counts of each image, so that no map outlives its batch."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from evoray.errors import ModelError

VALUES = 2**22
"""Scores that are looked at together; each takes some 24 bytes meanwhile."""


class Masks(NamedTuple):
    """The right class of every pixel, [b, H, W] of a whole type. top: the largest that is not left out, -1 for none."""

    labels: Tensor
    top: int


class Counts(NamedTuple):
    """Of each image's pixels that have a label.

    nll: float32 [n], mean of their negative log-likelihoods in nats; NaN where a score is not a number, 0 where no
    pixel has a label. hit, given: int32 [n, C], pixels of each class of the data that were given it, and pixels that
    were.
    """

    nll: Tensor
    hit: Tensor
    given: Tensor


def class_maps(answer: Tensor) -> Tensor:
    """Scores [b, K, h, w] of at least two classes; a map alone is the log-odds of class 1, as in classification.

    Raises:
        ModelError: it is no map of floating-point scores.
    """
    found = answer.unsqueeze(1) if answer.ndim == 3 else answer
    if found.ndim != 4 or not found.is_floating_point():
        kind = str(answer.dtype).removeprefix("torch.")
        raise ModelError(
            f"the network returns {kind} {list(answer.shape)}, and segmentation takes scores [images, classes, height, "
            "width] of a floating type, before softmax and argmax."
        )
    return torch.cat([torch.zeros_like(found), found], dim=1) if found.shape[1] == 1 else found


def counts(maps: Tensor, masks: Masks, classes: int, ignored: int) -> Counts:
    """Counts of a batch of maps [b, K, h, w].

    Smaller maps are enlarged to the masks' size, bilinearly and without aligned corners, as networks that answer at a
    quarter of the size are meant to be read. The likeliest class is the first of equals.

    classes: of the data. ignored: the label of pixels that are left out.

    Raises:
        ModelError: maps of another size, or without a class that the masks hold.
    """
    labels = masks.labels
    check_maps(maps, (labels.shape[1], labels.shape[2]), masks.top)
    step = max(1, VALUES // math.prod((maps.shape[1], *labels.shape[1:])))
    parts = [
        _counts(maps[start : start + step], labels[start : start + step], classes, ignored)
        for start in range(0, len(labels), step)
    ]
    return Counts(*(torch.cat(part) for part in zip(*parts, strict=True)))


def check_maps(maps: Tensor, size: tuple[int, int], top: int) -> None:
    """Raises ModelError where maps [b, K, h, w] are not of masks of that size, whose largest label is ``top``."""
    if top >= maps.shape[1]:
        raise ModelError(
            f"the network has {maps.shape[1]} classes, 0 to {maps.shape[1] - 1}, and the masks the label {top}. Take a "
            "network with a class for each, or ingest the masks with --palette, which says what each label means."
        )
    if not set.intersection(*(_strides(small, large) for small, large in zip(maps.shape[2:], size, strict=True))):
        given, wanted = ("x".join(map(str, one)) for one in (maps.shape[2:], size))
        raise ModelError(
            f"the network gives maps of {given} for masks of {wanted} pixels, [images, classes, height, width]: "
            "neither that size nor a whole fraction of it, so which pixel is which is not known. Have it pad, or "
            "return maps of the image's size."
        )


def _strides(small: int, large: int) -> set[int]:
    """Of how many pixels one value may stand for, 1 where the sizes are the same. A last stride may be cut short, or
    left out."""
    near = range(max(1, large // (small + 1)), large // max(1, small - 1) + 2)
    return {k for k in near if small in (large // k, -(-large // k))}


def _counts(maps: Tensor, labels: Tensor, classes: int, ignored: int) -> Counts:
    scores = maps.float()
    if scores.shape[2:] != labels.shape[1:]:
        size = [int(side) for side in labels.shape[1:]]
        scores = torch.nn.functional.interpolate(scores, size=size, mode="bilinear", align_corners=False)
    known, wanted = labels != ignored, labels.long()
    right = wanted.clamp(max=scores.shape[1] - 1)
    log_p = scores.double().log_softmax(dim=1).gather(1, right[:, None])[:, 0]
    pixels = known.sum((1, 2))
    nll = torch.where(known, -log_p, 0.0).sum((1, 2)) / pixels.clamp(min=1)
    nll = torch.where(scores.isnan().flatten(1).any(1), math.nan, nll)
    answer = scores.argmax(dim=1)
    given = _by_class(answer, known & (answer < classes), classes)
    hit = _by_class(wanted, known & (answer == wanted), classes)
    return Counts(nll.float(), hit, given)


def _by_class(of: Tensor, where: Tensor, classes: int) -> Tensor:
    """int32 [b, classes]: pixels [b, H, W] of each class, where they count."""
    count = len(of) * classes
    first = torch.arange(len(of), device=of.device)[:, None, None] * classes
    places = torch.where(where, of + first, count)
    return torch.bincount(places.flatten(), minlength=count + 1)[:count].view(len(of), classes).int()
