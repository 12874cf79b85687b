"""A mask cut as its image is: the shorter side to a size by the nearest pixel, then the centre."""

from __future__ import annotations

import numpy as np

from evoray.data.transform import ImageTransform, shorter_side, start_of
from evoray.ingest.segmentation.palette import UNLABELLED


def like_image(labels: np.ndarray, transform: ImageTransform) -> np.ndarray:
    """[H, W] of labels [h, w], as ``transform`` cuts a picture of that size; what lies outside of it has no label."""
    height, width = labels.shape
    if transform.resize is not None:
        width, height = shorter_side(width, height, transform.resize)
        labels = labels[_nearest(labels.shape[0], height)][:, _nearest(labels.shape[1], width)]
    return labels if transform.crop is None else _centre(labels, transform.crop)


def _nearest(before: int, after: int) -> np.ndarray:
    """int64 [after]: the pixel under the middle of each, as Pillow's NEAREST and torchvision's nearest-exact take it.

    In whole numbers: floor((i + 1/2) * before / after).
    """
    return (2 * np.arange(after) + 1) * before // (2 * after)


def _centre(labels: np.ndarray, crop: int) -> np.ndarray:
    found = np.full((crop, crop), UNLABELLED, labels.dtype)
    places = []
    for length in labels.shape:
        start = start_of(length, crop)
        into = max(0, -start)
        count = min(length - max(0, start), crop - into)
        places.append((slice(into, into + count), slice(max(0, start), max(0, start) + count)))
    (rows, from_rows), (columns, from_columns) = places
    found[rows, columns] = labels[from_rows, from_columns]
    return found
