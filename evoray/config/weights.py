"""Names of weights as torchvision's users write them."""

import re
from typing import Any

from evoray.runtime.paths import names_a_checkpoint

_OF_ENUM = re.compile(r"(?:torchvision\.)?(?:models\.)?(\w+)_Weights\.(\w+)")
_MEMBER = re.compile(r"imagenet\d+k_\w+|default", re.IGNORECASE)


def member_of(source: Any, name: Any, weights: Any) -> Any:
    """``IMAGENET1K_V2`` for ``ResNet50_Weights.IMAGENET1K_V2`` or ``imagenet1k_v2``; anything else as it is.

    Raises:
        ValueError: another architecture's enum.
    """
    if source != "torchvision" or not isinstance(weights, str) or not isinstance(name, str):
        return weights
    if _MEMBER.fullmatch(weights):
        return weights.upper()
    found = _OF_ENUM.fullmatch(weights)
    if found is None or names_a_checkpoint(weights):
        return weights
    architecture, member = found.groups()
    if architecture.lower() != name.lower():
        raise ValueError(
            f'weights = "{weights}" are those of {architecture.lower()}, and name = "{name}". Name weights of one '
            f'architecture, such as weights = "{member}" alone'
        )
    return member.upper()
