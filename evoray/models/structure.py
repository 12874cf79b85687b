"""What a parent's module has to be, before anything is asked of it: an ordinary module whose state is its tensors.

What is refused here would otherwise end in an exception of some library, or in a network that nobody can export.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from evoray.errors import ModelError

Fault = tuple[str, str]
"""(what is wrong, the remedy)"""


def in_evaluation(model: nn.Module, name: str) -> nn.Module:
    """The module in evaluation mode; of a compiled one (``torch.compile``) the module that was compiled.

    Raises:
        ModelError: it is scripted, lazy, quantized or holds what no state_dict can, or ``eval()`` changes its tensors'
            names, so that what is exported would not fit the network that a user builds.
    """
    if _is_compiled(model):
        model = model._orig_mod  # type: ignore[assignment]
    fault = _fault_of_modules(model) or _fault_of_state(model)
    if fault is None:
        before = set(model.state_dict())
        model.eval()
        changed = sorted(before ^ set(model.state_dict()))
        if changed:
            fault = (
                f"eval() changes which tensors it has ({changed[0]}), so its exports would not fit it as built",
                "Fuse or convert it in the function that returns it, or not at all.",
            )
    if fault is not None:
        raise ModelError(f"the parent {name}: {fault[0]}. {fault[1]}")
    return model


def _is_compiled(module: nn.Module) -> bool:
    return type(module).__name__ == "OptimizedModule" and hasattr(module, "_orig_mod")


def _fault_of_modules(model: nn.Module) -> Fault | None:
    for path, module in model.named_modules():
        where = path or "it"
        if isinstance(module, torch.jit.ScriptModule):
            return f"{where} is TorchScript", "Give the nn.Module that it was made from."
        if _is_compiled(module):
            return (
                f"{where} is compiled",
                "Give it uncompiled; compute.compile = true compiles the network on every worker.",
            )
        if getattr(module, "max_norm", None) is not None and isinstance(module, nn.Embedding | nn.EmbeddingBag):
            return (
                f"{where} is an {type(module).__name__} with max_norm, which writes to its weights in every pass",
                "Renormalise the weights once, and build it with max_norm=None.",
            )
    return None


_KINDS: tuple[tuple[Callable[[Any], bool], str, str], ...] = (
    (
        lambda tensor: not isinstance(tensor, Tensor),
        "no tensor (get_extra_state)",
        "Keep it out of state_dict(), or as a buffer.",
    ),
    (is_lazy, "not initialised yet", "Run the network once on a batch before it is returned, or give the sizes."),
    (lambda tensor: tensor.is_quantized, "quantized", "Give the network in floating point."),
    (lambda tensor: tensor.layout != torch.strided, "sparse", "Give it as a dense tensor (to_dense())."),
    (lambda tensor: tensor.is_nested, "nested", "Give it as a dense tensor."),
    (lambda tensor: tensor.is_meta, "on the meta device, without values", "Load its weights first."),
)
"""Kinds of entries of a state_dict that cannot be exported as they are: test, what it is, remedy."""


def _fault_of_state(model: nn.Module) -> Fault | None:
    state = model.state_dict(keep_vars=True)
    for name, tensor in state.items():
        for is_so, what, remedy in _KINDS:
            if is_so(tensor):
                return f"{name} is {what}", remedy
    at = {one.data_ptr(): name for name, one in model.named_parameters() if one.numel()}
    for name, buffer in model.named_buffers():
        if name in state and buffer.data_ptr() in at and buffer.numel():
            return (
                f"the buffer {name} lies in the memory of the parameter {at[buffer.data_ptr()]}",
                "Give it memory of its own (clone()), or use the parameter in its place.",
            )
    names = {tensor.data_ptr(): name for name, tensor in state.items() if tensor.numel()}
    for name, own in model.named_parameters(remove_duplicate=False):
        if name not in state and own.numel() and (other := names.get(own.data_ptr())) is not None:
            return (
                f"its state_dict() calls {name} {other} (a hook, or a state_dict of its own), and exports have the "
                "parameters' names",
                "Return it without what renames them, and give the module the names that are wanted; a checkpoint of "
                "the other names is loaded in the function that returns it.",
            )
        if name not in state:
            return (
                f"its state_dict() leaves out {name}, so an export would lack it",
                "Have state_dict() hold every parameter under its own name.",
            )
    return None
