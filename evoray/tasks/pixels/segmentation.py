"""Semantic segmentation: a class for every pixel of an image.

torch is imported where it is used: ingest asks for the schema alone.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import Field

from evoray.data.schema import Schema
from evoray.errors import DataError
from evoray.tasks.base import Batch, Figure, Figures, Measure, Network, Outputs, Preparation, ScoredTask, Scores
from evoray.tasks.inputs import filled, input_batch, input_bytes, on_device, tensor_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MASK = "mask"
"""Column: the label of every pixel, uint8 or uint16 [n, H, W]; the type's largest value is no label."""
WIDE = 4
"""Bytes of a label of 16 bits on the device, where no type is unsigned and that wide."""


class Segmentation(ScoredTask):
    """Outputs are ``Counts`` of each image, which are made of its maps and its mask batch by batch; targets are its
    pixels of each class, int64 [n, C]. Of a batch without masks, outputs are the maps.

    ``miou`` is the mean over classes of intersection / union, both summed over all images; ``pixel_accuracy`` is of all
    pixels together. So neither is a mean of images. Races and paired tests compare ``nll``, an image's mean over its
    pixels, and ``image_iou``, an image's mean over the classes that its mask has. Classes that no mask has are left out
    of either mean; pixels that were given one count as wrong for the class that they are. An image without a labelled
    pixel has no NLL, and an IoU of 1.

    Args:
        ignore_index: a label whose pixels are left out, besides 255 (65535 in masks of 16 bits), which is none.
    """

    schema = Schema(task="segmentation", columns={"image": "fixed_size_binary", MASK: "fixed_size_binary"}, target=MASK)
    measures: Mapping[str, Measure] = {
        "nll": Measure("NLL", "nats per pixel", False, "NLL"),
        "miou": Measure("Mean IoU", "fraction", True, "mIoU"),
        "image_iou": Measure("Mean IoU of an image", "fraction", True, "Image IoU"),
        "pixel_accuracy": Measure("Pixel accuracy", "fraction", True, "Pixel accuracy"),
    }
    logits = True
    """Probabilities are refused: the softmax is taken here."""
    scored: tuple[str, ...] = ("nll", "image_iou")
    kept: tuple[str, ...] = ("nll", "hit", "given", "labelled")

    def __init__(self, ignore_index: Annotated[int, Field(ge=0, lt=2**16)] | None = None) -> None:
        self._ignored, self._classes = ignore_index, 0
        self.columns: tuple[str, ...] = self._columns()

    def of_run(self, classes: int, of_parent: Any = None) -> Self:
        """The same for data of so many classes."""
        found = copy.copy(self)
        found._classes = classes
        found.columns = found._columns()
        return found

    def batch(self, records: Any, rows: np.ndarray, how: Preparation) -> Batch:
        import torch

        from evoray.tasks.pixels.counting import Masks

        found = input_batch(records, rows, how)
        labels = self._labels(records, rows)
        unlabelled = _unlabelled(labels)
        known = labels[labels != unlabelled]
        top = int(known.max()) if known.size else -1
        wide = filled(labels, np.arange(len(rows)), how.width)
        wide[len(rows) :] = unlabelled
        wide = wide if wide.dtype == np.uint8 else wide.astype(np.int32)
        return Batch(found.inputs, found.count, Masks(on_device(torch.from_numpy(wide), how), top))

    def batch_bytes(self, records: Any, count: int, how: Preparation) -> int:
        masks: np.ndarray = records[MASK]
        width = 1 if masks.dtype == np.uint8 else WIDE
        return input_bytes(records, count, how) + count * math.prod(masks.shape[1:]) * width

    def targets(self, records: Any, rows: np.ndarray, device: torch.device) -> Tensor:
        """int64 [n, C]. Raises DataError for a label that is no class of the data."""
        import torch

        found = np.zeros((len(rows), self._classes), dtype=np.int64)
        for at, row in enumerate(rows):
            labels = self._labels(records, rows[at : at + 1])
            pixels = np.bincount(labels[labels != _unlabelled(labels)], minlength=self._classes)
            if len(pixels) > self._classes:
                raise DataError(
                    f"{records.sources[row]}: its mask has the label {len(pixels) - 1}, and the data {self._classes} "
                    "classes. Ingest the images again."
                )
            if not pixels.any():
                raise DataError(
                    f"{records.sources[row]}: no pixel of its mask has a label, so nothing can be said of it. Leave "
                    f"the image out{'' if self._ignored is None else ', or task.ignore_index'}."
                )
            found[at] = pixels
        return torch.from_numpy(found).to(device)

    def outputs(self, network: Network, batch: Batch) -> Outputs:
        from evoray.tasks.pixels.counting import class_maps, counts

        maps = class_maps(tensor_of(network(batch.inputs)))
        if batch.beside is None:
            return maps
        narrow = batch.beside.labels.element_size() == 1
        return counts(maps, batch.beside, self._classes, UNLABELLED if narrow else WIDE_UNLABELLED)

    def records(self, predictions: Outputs, targets: Tensor) -> Scores:
        """nll float64 [n]; hit, given, labelled int32 [n, C]."""
        nll, hit, given = (one.cpu().numpy() for one in predictions)
        return {
            "nll": nll.astype(np.float64),
            "hit": hit,
            "given": given,
            "labelled": targets.cpu().numpy().astype(np.int32),
        }

    def compared(self, records: Mapping[str, np.ndarray]) -> Scores:
        hit, labelled = records["hit"], records["labelled"]
        union = labelled + records["given"] - hit
        there = labelled > 0
        share = np.where(there, hit / np.maximum(union, 1), 0.0).sum(axis=1)
        count = there.sum(axis=1)
        found = np.where(count > 0, share / np.maximum(count, 1), 1.0)
        return {"nll": records["nll"], "image_iou": np.where(np.isfinite(records["nll"]), found, math.nan)}

    def scores(self, outputs: Outputs, targets: Tensor) -> Scores:
        return self.compared(self.records(outputs, targets))

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        records = self.records(outputs, targets)
        scores = self.compared(records)
        bad = int(np.count_nonzero(~np.isfinite(scores["nll"])))
        means = [math.nan if bad else math.fsum(scores[name]) for name in self.scored]
        return np.concatenate([[len(targets), bad, *means], *_areas(records)])

    def figures(self, total: Mapping[str, float]) -> Figures:
        areas = np.array([total[name] for name in self.columns[4:]]).reshape(3, self._classes)
        return self._figures([total[name] / total["n"] for name in self.scored], areas)

    def evaluated(self, records: Mapping[str, np.ndarray]) -> Figures:
        scores = self.compared(records)
        means = [float(np.sum(scores[name]) / len(scores[name])) for name in self.scored]
        return self._figures(means, np.stack(_areas(records)))

    def _figures(self, means: list[float], areas: np.ndarray) -> Figures:
        intersection, union, labelled = areas
        there = labelled > 0
        values = dict(zip(self.scored, means, strict=True))
        values["miou"] = float(np.mean(intersection[there] / union[there])) if there.any() else math.nan
        values["pixel_accuracy"] = float(intersection.sum() / labelled.sum()) if there.any() else math.nan
        return {name: Figure(values[name], measure) for name, measure in self.measures.items()}

    def _columns(self) -> tuple[str, ...]:
        numbers = range(self._classes)
        each = [f"{what} {number}" for what in ("intersection", "union", "labelled") for number in numbers]
        return ("n", "invalid", *self.scored, *each)

    def _labels(self, records: Any, rows: np.ndarray) -> np.ndarray:
        """[b, H, W], with what is left out as the type's largest value."""
        labels = np.array(records[MASK][rows])
        if self._ignored is not None and self._ignored < _unlabelled(labels):
            labels[labels == self._ignored] = _unlabelled(labels)
        return labels


UNLABELLED, WIDE_UNLABELLED = 255, 65535


def _unlabelled(labels: np.ndarray) -> int:
    return UNLABELLED if labels.dtype == np.uint8 else WIDE_UNLABELLED


def _areas(records: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """float64 [C] each, of all records: pixels in intersection, in union, and with that label."""
    hit, given, labelled = (records[name].sum(axis=0, dtype=np.float64) for name in ("hit", "given", "labelled"))
    return [hit, labelled + given - hit, labelled]
