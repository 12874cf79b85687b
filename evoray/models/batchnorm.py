"""BatchNorm statistics measured anew for changed weights (Izmailov et al. 2018, arXiv 1803.05407, section 3.2).

The statistics that a network was trained with belong to its weights; a soup's differ. They are taken as training would
take them: every layer normalises a batch by that batch, and the moments of what reaches a layer are summed over all
batches. Sums merge over shards; their order is the shards', so the result depends on no worker.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Buffers = dict[str, np.ndarray]
"""float32 [channels] by the buffer's name in the model."""


def batchnorm_layers(model: nn.Module) -> dict[str, _BatchNorm]:
    """Layers that keep statistics, by name, in the model's order."""
    found = {name: layer for name, layer in model.named_modules() if isinstance(layer, _BatchNorm)}
    return {name: layer for name, layer in found.items() if layer.running_mean is not None}


class Moments:
    """Sums of what reaches each layer: values counted, their sum and their sum of squares by channel."""

    def __init__(self, layers: Mapping[str, _BatchNorm]) -> None:
        self._at: dict[nn.Module, int] = {layer: at for at, layer in enumerate(layers.values())}
        self._sums = [np.zeros((2, layer.num_features)) for layer in layers.values()]
        self._counts = np.zeros(len(layers))

    def row(self) -> np.ndarray:
        """float64 [layers + 2 * channels of all layers]: what shards add up."""
        return np.concatenate([self._counts, *(sums.ravel() for sums in self._sums)])

    def add(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """A forward pre-hook."""
        values = inputs[0].detach().double()
        over = [axis for axis in range(values.dim()) if axis != 1]
        at = self._at[layer]
        self._counts[at] += values.numel() // values.shape[1]
        self._sums[at] += torch.stack([values.sum(over), values.square().sum(over)]).cpu().numpy()


@contextmanager
def measured(model: nn.Module) -> Iterator[Moments]:
    """Moments of every batch that passes meanwhile; layers normalise by the batch, and keep what they had after."""
    layers = batchnorm_layers(model)
    moments = Moments(layers)
    hooks = [layer.register_forward_pre_hook(moments.add) for layer in layers.values()]
    kept = [(layer, layer.running_mean, layer.running_var) for layer in layers.values()]
    for layer in layers.values():
        # without statistics of its own a layer takes the batch's, also in evaluation
        layer.running_mean = layer.running_var = None
    try:
        yield moments
    finally:
        for hook in hooks:
            hook.remove()
        for layer, mean, variance in kept:
            layer.running_mean, layer.running_var = mean, variance


def statistics_of(names: Mapping[str, int], row: np.ndarray) -> Buffers:
    """Buffers from the sums of all shards (``Moments.row``).

    Args:
        names: channels of each layer, in the model's order.
    """
    counts, rest = row[: len(names)], row[len(names) :]
    buffers: Buffers = {}
    for (name, channels), count in zip(names.items(), counts, strict=True):
        (total, squares), rest = rest[: 2 * channels].reshape(2, channels), rest[2 * channels :]
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 0.0) * (count / max(count - 1, 1))
        buffers[f"{name}.running_mean"] = mean.astype(np.float32)
        buffers[f"{name}.running_var"] = variance.astype(np.float32)
    return buffers


@contextmanager
def with_buffers(model: nn.Module, buffers: Buffers) -> Iterator[None]:
    """The model with other statistics, for as long as the context is open; written in place, under compiled code."""
    own = dict(model.named_buffers())
    kept = {name: own[name].clone() for name in buffers}
    try:
        for name, values in buffers.items():
            own[name].copy_(torch.from_numpy(values))
        yield
    finally:
        for name, before in kept.items():
            own[name].copy_(before)
