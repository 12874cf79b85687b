"""Masks and noise of format 1 by torch, on any device, bit for bit those of ``masks`` and ``table``."""

import torch
from torch import Tensor

from evoray.mutation.device.philox import LOW, words16, words32
from evoray.mutation.device.strata import Strata
from evoray.mutation.streams import MASK, NOISE
from evoray.mutation.table import quantiles


def positions(strata: Strata, first: int, count: int, device: torch.device) -> Tensor:
    """int64 [count], ascending: the position that each of ``count`` strata from ``first`` on changes.

    ``Strata.between`` says which strata change one that is there; the last of a mask may own none.
    """
    numbers = torch.arange(first, first + count, device=device)
    if strata.parts == 1:
        return numbers
    offsets = words32(strata.mask_seed, MASK, count, first, device).mul_(strata.parts)
    offsets = (offsets >> 32).bitwise_and_(LOW).add_(strata.part)  # the product is unsigned, the shift is not
    offsets -= offsets.ge(strata.parts).mul(strata.parts)
    return offsets.add_(numbers, alpha=strata.parts)


def noise(strata: Strata, first: int, count: int, table: Tensor) -> Tensor:
    """float32 [count]: a standard normal value for each of the same strata, from ``quantile_table``."""
    return table.index_select(0, words16(strata.noise_seed, NOISE, count, first, table.device))


def quantile_table(device: torch.device) -> Tensor:
    """float32 [65536]: the quantiles of format 1, on a device."""
    return torch.tensor(quantiles(), device=device)
