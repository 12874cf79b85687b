"""What a run may set for a network that onnxruntime runs, and what is set for it."""

from collections.abc import Callable

from torch import nn

from evoray.config import RunConfig
from evoray.errors import ConfigError
from evoray.models.onnx.network import OnnxNetwork
from evoray.runtime.auto import given
from evoray.runtime.reading import shown

ONE_TYPE = "onnxruntime computes in the types of the graph, so float32 is what compute.dtype can be. Leave it out."


def fitting(config: RunConfig, model: nn.Module, logits: Callable[[], bool]) -> tuple[RunConfig, tuple[str, ...]]:
    """The configuration as such a network can take it, and what is to be said; other networks' stays as it is.

    Args:
        logits: whether the task takes logits; where a softmax or sigmoid makes the answer, what goes into it is taken.

    Raises:
        ConfigError: it asks for what PyTorch alone does. ModelError: onnxruntime cannot build it.
    """
    if not isinstance(model, OnnxNetwork):
        return config, ()
    _refuse(config)
    notes: tuple[str, ...] = ()
    if config.parent.output is None and logits() and (value := model.before_probabilities()) is not None:
        notes = (
            f"the parent's output {shown(model.output, 60)} is made by a last softmax or sigmoid: what goes into it is "
            f"taken ({shown(value, 60)}), since EvoRay applies that itself. Exports have the whole graph",
        )
        model.answers_with(value)
    model.ready()
    compute = config.compute.model_copy(
        update={"device": "cpu", "dtype": "float32", "layout": "contiguous", "keep_activations": False}
    )
    return config.model_copy(update={"compute": compute}), notes


def _refuse(config: RunConfig) -> None:
    compute = config.compute
    for key in ("compile", "cuda_graphs", "keep_activations"):
        if getattr(compute, key) is True:
            raise ConfigError(f"compute.{key} = true: this is for networks of PyTorch. Leave it out.")
    if given(compute.device) not in (None, "cpu"):
        raise ConfigError(f'compute.device = "{shown(compute.device)}": onnx parents run on the CPU. Leave it out.')
    if given(compute.dtype) not in (None, "float32"):
        raise ConfigError(f'compute.dtype = "{compute.dtype}": {ONE_TYPE}')
    if config.soup.recalibrate:
        raise ConfigError("soup.recalibrate = true: BatchNorm of an onnx parent keeps its statistics. Switch it off.")
