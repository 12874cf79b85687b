"""What draws children, and where: NumPy on the host, or a writer on the device of the weights."""

import logging
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from evoray.mutation.device.tables import Addresses
from evoray.mutation.device.writer import TorchWriter, Writer
from evoray.mutation.space import Space

LOG = logging.getLogger("evoray")
DrawnBy = Literal["numpy", "torch", "triton"]


def make_writer(by: DrawnBy | None, space: Space, base: Tensor, buffer: Tensor, addresses: Addresses) -> Writer | None:
    """The writer for a base and a buffer, or None where NumPy draws; ``by`` None: whatever is fastest there.

    On a CPU that is NumPy: torch's operations pass over memory some hundred times for a word.
    """
    by = by or fastest(base.device)
    if by == "numpy" or space.has_integers:  # whose steps are rounded by NumPy alone
        return None
    if by == "torch":
        return TorchWriter(space, base, buffer, addresses)
    from evoray.mutation.device.kernel import TritonWriter

    return TritonWriter(space, base, buffer, addresses)


def fastest(device: torch.device) -> DrawnBy:
    """By what children are drawn on a device, if nothing else is asked for."""
    if device.type != "cuda":
        return "numpy"
    return "triton" if _kernel_runs(device) else "torch"


@cache
def _kernel_runs(device: torch.device) -> bool:
    """Whether Triton is there and compiles here (it needs a C compiler at its first launch); the bits are the same."""
    try:
        from evoray.mutation.device.kernel import probe

        return probe(device)
    except Exception as error:  # whatever a compiler or a driver raises: there is another way
        LOG.info("children are drawn by torch's operations: Triton cannot be used (%s)", error)
        return False
