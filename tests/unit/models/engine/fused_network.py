"""A tiny language model as vLLM holds one: q, k and v in one weight, gate and up in another, the head tied."""

from __future__ import annotations

import json
from types import SimpleNamespace

import torch
from tiny_language import network
from torch import nn

from evoray.models import canonical_state, write_state
from evoray.mutation import Lineage, Space, lineage_document
from evoray.mutation.partition import Partition, PartitionConfig

FUSED = {"qkv_proj": ["q_proj", "k_proj", "v_proj"], "gate_up_proj": ["gate_proj", "up_proj"]}


class Leaf(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)


def fused(model, dtype=torch.float32):
    """The same tensors, laid together as FUSED says."""
    tensors, made = dict(model.named_parameters(remove_duplicate=False)), nn.Module()
    made.packed_modules_mapping = FUSED
    for name in tensors:
        path = name.removesuffix(".weight").split(".")
        whole = next((one for one, members in FUSED.items() if path[-1] in members), path[-1])
        names = [".".join([*path[:-1], one, "weight"]) for one in FUSED.get(whole, [path[-1]])]
        where = made
        for part in path[:-1]:
            if not hasattr(where, part):
                where.add_module(part, nn.Module())
            where = getattr(where, part)
        if not hasattr(where, whole):
            where.add_module(whole, Leaf(torch.cat([tensors[one].data for one in names]).to(dtype)))
    if model.config.tie_word_embeddings:
        made.lm_head.weight = made.model.embed_tokens.weight
    return made


def packed(own):
    return lambda x, weight, bias: nn.functional.linear(x, own, bias)


def pack(model):
    """As vLLM's oneDNN does: a copy that the layer computes with, and no weights but those of the embedding."""
    for name, module in model.named_modules():
        if isinstance(module, Leaf) and module.weight.dim() == 2:
            module.cpu_linear = packed(module.weight.data.clone())
            if "embed" not in name and "lm_head" not in name:
                module.weight = nn.Parameter(torch.empty(0, dtype=module.weight.dtype), requires_grad=False)
    return model


class Llm:
    """As much of vLLM's ``LLM`` as is used, with one worker."""

    def __init__(self, model, eager=True, idle=True):
        from evoray.models.engine.vllm import Extension

        self.model, self.idle, self.forgotten = model, idle, 0
        self.worker = Extension()
        config = SimpleNamespace(enforce_eager=eager)
        self.worker.model_runner = SimpleNamespace(get_model=lambda: model, model_config=config)

    def collective_rpc(self, method, args=()):
        return [getattr(self.worker, method)(*json.loads(json.dumps(args)))]  # as it travels

    def reset_prefix_cache(self):
        self.forgotten += 1
        return self.idle


def parent(folder, **settings):
    """(network, state, aliases, space) of a folder that holds the tied tensor once, as save_pretrained writes it."""
    model = network("llama", **settings)
    state, aliases = canonical_state(model)
    folder.mkdir(exist_ok=True)
    write_state(folder / "model.safetensors", {aliases_first(name, aliases): one for name, one in state.items()})
    return model, state, aliases, Space.from_state(state, list(state), "rms")


def aliases_first(name, aliases):
    return next((alias for alias, own in aliases.items() if own == name), name)


def child(number=0, parts=4, sigma=0.5):
    return Lineage().child(Partition.draw(PartitionConfig(parts=parts), sigma, 0, 0, number))


def written(path, state, aliases, space, lineage):
    path.write_text(json.dumps(lineage_document("parent", state, space, lineage, aliases)))
    return path
