"""From stored bytes to a batch, bit-identical to torchvision's reference transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evoray.errors import DataError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype) -> Tensor:
    """(x / 255 - mean) / std in float32, then ``dtype``: uint8 [b, C, H, W] to [b, C, H, W] on the same device.

    The divisors are tensors on the device: CUDA turns a division by a Python number into a multiplication by its
    reciprocal, which differs in the last bit.

    Raises:
        DataError: mean or std have neither one value nor one a channel.
    """
    import torch

    for values in (mean, std):
        if len(values) not in (1, images.shape[1]):
            raise DataError(
                f"the images have {images.shape[1]} channels, the parent's mean and std {len(values)}. "
                "Ingest the images as the parent expects them (evoray data ingest --for CONFIG.toml)."
            )
    device = images.device
    batch = images.to(torch.float32).div_(torch.tensor(255.0, device=device))
    batch.sub_(_per_channel(mean, device)).div_(_per_channel(std, device))
    return batch.to(dtype)


def _per_channel(values: Sequence[float], device: torch.device) -> Tensor:
    import torch

    return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)
