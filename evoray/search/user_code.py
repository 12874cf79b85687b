"""Which modules decide a run's answer beside EvoRay's own: those that the user named, and those of the network."""

import re
from collections.abc import Iterator

from torch import nn

from evoray.config import RunConfig
from evoray.models.onnx.network import OnnxNetwork

OWN = ("evoray", "torch", "builtins", "__main__")
"""EvoRay itself, and PyTorch, whose version is recorded apart."""
_NAME = re.compile(r"[\w.]+:[\w.]+")


def user_modules(config: RunConfig, model: nn.Module) -> list[str]:
    """Names of modules, sorted: of each ``package.module:name`` in the configuration, and of the network's classes."""
    named = {name.partition(":")[0] for name in _names(config)}
    classes = {cls.__module__ for module in model.modules() for cls in type(module).__mro__}
    if isinstance(model, OnnxNetwork):
        named.add("onnxruntime")  # recorded by its version
    return sorted(one for one in named | classes if one.partition(".")[0] not in OWN)


def _names(config: RunConfig) -> Iterator[str]:
    if config.parent.source == "module":
        yield config.parent.name
    own = config.task.settings.values()
    for name in (config.task.name, config.fitness.name, config.search.strategy, config.mutation.kind, *own):
        if isinstance(name, str) and _NAME.fullmatch(name):
            yield name
