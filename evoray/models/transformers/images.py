"""How a transformers parent takes images, as the image processor that lies in its folder says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from evoray.errors import ModelError
from evoray.models.base import Preprocessing
from evoray.runtime.reading import parse_json, read_file, shown

PROCESSOR = "preprocessor_config.json"


def preprocessing_of(folder: Path) -> Preprocessing:
    """Mean and std for images that arrive as x/255; sizes are not taken, for processors mostly distort images to one.

    Nothing where the folder has no image processor.

    Raises:
        ModelError: it says no numbers that could be meant.
    """
    path = folder / PROCESSOR
    if not path.exists():
        return Preprocessing()
    values = parse_json(read_file(path, error=ModelError), str(path), ModelError)
    if not isinstance(values, dict) or "image_mean" not in values:
        return Preprocessing()  # of sounds
    factor = values.get("rescale_factor", 1 / 255) if values.get("do_rescale", True) else 1.0
    mean, std = (_numbers(values.get(name), path, name) for name in ("image_mean", "image_std"))
    if not values.get("do_normalize", True):
        mean, std = (0.0,) * len(mean), (1.0,) * len(std)
    if not isinstance(factor, int | float) or not 0 < factor < math.inf or len(mean) != len(std) or min(std) <= 0:
        raise ModelError(f"{shown(path)}: its rescale_factor, image_mean and image_std cannot be meant. Save it again.")
    scale = 1.0 if math.isclose(255 * factor, 1) else 255 * factor
    return Preprocessing(tuple(one / scale for one in mean), tuple(one / scale for one in std), channels=len(mean))


def _numbers(value: Any, path: Path, name: str) -> tuple[float, ...]:
    found = value if isinstance(value, list) else [value] * 3
    if len(found) not in (1, 3) or not all(isinstance(one, int | float) and math.isfinite(one) for one in found):
        raise ModelError(f"{shown(path)}: {name} is {shown(value, 60)}, and no number for each channel. Save it again.")
    return tuple(map(float, found))
