"""What networks of transformers do with padding and positions, made fit for a host that evaluates child after child.

Importing this module makes the attention known to transformers; a worker does when the hook arrives by its name.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

PLAIN, OWN = "sdpa", "evoray_sdpa"
"""PyTorch's attention, and the same with masks that never ask whether anything is hidden: what a network does then
follows from the batch's shape alone, and what lies before a child's first changed weight can be kept."""
FREQUENCIES = ("inv_freq", "original_inv_freq")


def _mask(*args: Any, **kwargs: Any) -> Any:
    skips = {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
    return sdpa_mask(*args, **{**kwargs, **skips})


AttentionInterface.register(OWN, sdpa_attention_forward)
AttentionMaskInterface.register(OWN, _mask)


def prepare(model: Any) -> None:
    """Attention of this module, tokens of the parent's own in hidden places, and positions in full precision."""
    if getattr(model.config, "_attn_implementation", None) == PLAIN:
        model.set_attn_implementation(OWN)
    model.register_forward_pre_hook(with_own_padding, with_kwargs=True)
    _keep_frequencies(model)


def prepare_inside(model: nn.Module) -> None:
    """``prepare`` for networks of transformers that a user's module is made of, where they know their padding."""
    found = [one for one in model.modules() if isinstance(one, PreTrainedModel)]
    parts = {id(part) for one in found for part in one.modules() if part is not one}
    for one in found:
        if id(one) not in parts and isinstance(getattr(one.config, "pad_token_id", None), int):
            prepare(one)


def with_own_padding(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any] | None:
    """A forward pre-hook: tokens that the mask hides become the padding of the network's configuration."""
    ids, mask = named.get("input_ids"), named.get("attention_mask")
    if not isinstance(ids, Tensor) or not isinstance(mask, Tensor) or ids.shape != mask.shape:
        return None
    return args, {**named, "input_ids": ids.masked_fill(mask == 0, module.config.pad_token_id)}  # type: ignore[union-attr, arg-type]


def _keep_frequencies(model: nn.Module) -> None:
    """Frequencies of rotary positions stay float32 where weights are evaluated in less, as transformers keeps them: in
    bfloat16 a position of a few hundred would be off by whole ones. They are part of no state, and no buffers then.
    """
    for module in model.modules():
        if getattr(module, "rope_type", "default") in ("dynamic", "longrope"):  # which register them anew
            continue
        for name in FREQUENCIES:
            if name in module._buffers and name in module._non_persistent_buffers_set:
                values = module._buffers[name]
                delattr(module, name)
                setattr(module, name, values)
