"""What a network that predicts tokens thinks of texts: nats of each next token, given those before it.

A row of a batch is a text; the network gives scores [b, t, V], at each place of the token behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evoray.errors import ModelError
from evoray.tasks.base import Network
from evoray.tasks.inputs import tensor_of

if TYPE_CHECKING:
    from torch import Tensor

TOGETHER = 4096
"""Tokens of a pass, at most, or one text: scores of 50,000 tokens at each place take 800 MB, and as much again while
they are normalised."""


def nats(network: Network, inputs: Mapping[str, Tensor], counted: Tensor) -> Tensor:
    """float64 [b]: minus the log-probability of the tokens that count, added up a row.

    Args:
        inputs: ``input_ids`` [b, t] and what else the network takes by name. counted: [b, t], 1 where a token counts;
            the first of a row has nothing before it and never does.

    Raises:
        ModelError: the network gives no scores of tokens.
    """
    import torch

    rows, length = counted.shape
    together = max(1, TOGETHER // max(length, 1))  # of the batch's shape alone: the same on every worker
    parts = []
    for first in range(0, rows, together):
        some = {name: one[first : first + together] for name, one in inputs.items()}
        scores = tensor_of(network(**some))
        ids = some["input_ids"]
        if scores.ndim != 3 or scores.shape[:2] != ids.shape:
            raise ModelError(
                f"the network gives {list(scores.shape)} for {list(ids.shape)} tokens: it has to give a score for each "
                "token of its vocabulary at every place [records, tokens, vocabulary]. Take a network that predicts "
                "tokens, such as one of AutoModelForCausalLM."
            )
        each = torch.nn.functional.cross_entropy(
            scores[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        )
        wanted = counted[first : first + together, 1:]
        each = each.view(wanted.shape).double()
        parts.append(torch.where(wanted != 0, each, 0.0).sum(1))
    return torch.cat(parts)
