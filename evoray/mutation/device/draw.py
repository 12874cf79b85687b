"""Masks and noise of format 1 by torch, on any device, bit for bit those of ``masks`` and ``table``.

Their streams are Philox4x64-10 (Salmon et al., SC 2011) in int64 arithmetic: torch has next to no unsigned 64-bit
operations, but two's complement has the same sums and low products, so a word is the int64 of its bits. What differs is
made of 32-bit halves, which are never negative: the high half of a product, and a shift to the right, which would drag
the sign along. Nothing here waits for the device.
"""

import torch
from torch import Tensor

from evoray.mutation.device.strata import Strata
from evoray.mutation.streams import MASK, NOISE, check_seed
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


LOW = 0xFFFFFFFF
MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
"""What the key grows by between two rounds."""
ROUNDS = 10


def words32(seed: int, stream: int, count: int, start: int, device: torch.device) -> Tensor:
    """int64 [count], each below 2**32: ``streams.words32`` on a device."""
    return _words(seed, stream, count, start, 32, device)


def words16(seed: int, stream: int, count: int, start: int, device: torch.device) -> Tensor:
    """int64 [count], each below 2**16: ``streams.words16`` on a device."""
    return _words(seed, stream, count, start, 16, device)


def _words(seed: int, stream: int, count: int, start: int, bits: int, device: torch.device) -> Tensor:
    check_seed(seed)
    block, skipped = divmod(start, 256 // bits)
    blocks = -(-(skipped + count) * bits // 256)
    # NumPy adds one to the counter before each block
    outputs = philox(torch.arange(block + 1, block + 1 + blocks, device=device), seed, stream)
    shifts = torch.arange(0, 64, bits, device=device)  # low end first
    words = (outputs.unsqueeze(-1) >> shifts).bitwise_and_((1 << bits) - 1)
    return words.view(-1)[skipped : skipped + count]


def philox(counters: Tensor, seed: int, stream: int) -> Tensor:
    """int64 [blocks, 4]: the outputs of counters int64 [blocks] (the lowest of four 64-bit digits, the others 0)."""
    key = [seed, stream]
    zero = torch.zeros_like(counters)
    x = [counters, zero, zero, zero]
    for _ in range(ROUNDS):
        high, low = zip(*(_product(x[at], by) for at, by in zip((0, 2), MULTIPLIERS, strict=True)), strict=True)
        x = [
            high[1].bitwise_xor_(x[1]).bitwise_xor_(_signed(key[0])),
            low[1],
            high[0].bitwise_xor_(x[3]).bitwise_xor_(_signed(key[1])),
            low[0],
        ]
        key = [(digit + step) % 2**64 for digit, step in zip(key, WEYL, strict=True)]
    return torch.stack(x, dim=1)


def _product(a: Tensor, b: int) -> tuple[Tensor, Tensor]:
    """(high, low) 64 bits of each unsigned a times b; no sum below reaches 2**64."""
    a_low, a_high = a & LOW, _upper(a)
    b_low, b_high = b & LOW, b >> 32
    across = _upper(a_low * b_low).add_(a_high * b_low)
    other = (across & LOW).add_(a_low.mul_(b_high))
    high = a_high.mul_(b_high).add_(_upper(across)).add_(_upper(other))
    return high, a * _signed(b)


def _upper(a: Tensor) -> Tensor:
    """The upper 32 bits, as a number that is not negative."""
    return (a >> 32).bitwise_and_(LOW)


def _signed(a: int) -> int:
    """The int64 of the same bits."""
    return a - 2**64 if a >= 2**63 else a
