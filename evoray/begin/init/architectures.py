"""Which library's architecture a checkpoint is of: by what it says itself, by its file's name, and by its tensors.

Candidates are built without numbers (on the meta device), and the one whose tensors all have a place in the file, in
their shapes but for another head, is it. So a name in a file's name is a hint and never an answer.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from evoray.config import ParentConfig
from evoray.errors import ModelError
from evoray.models.checkpoints.files import read_checkpoint
from evoray.models.checkpoints.fitting import Chosen, choose
from evoray.models.checkpoints.states import keys_of, states_of
from evoray.models.parent import architecture

SAID = ("arch", "architecture", "model_name", "model", "name")
INSIDE = ("hyper_parameters", "args", "config", "hparams")
"""Under which keys training programs write the architecture's name, and the tables that hold such keys."""
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
MOST, FAR = 24, 0.6
"""Architectures of torchvision that are tried, and how far their number of weights may be from the file's."""
SMALL = ("evoray.models.small:cnn", "evoray.models.small:resnet", "evoray.models.small:vit")
"""EvoRay's own small networks, as its demo trains one."""
SECONDS = 20.0
"""For those of timm, which are many."""
FAMILIES = {
    "patch_embed.proj.weight": ("vit_*", "deit*", "beit*", "eva02*", "mixer_*"),
    "layers.0.blocks.0.attn.qkv.weight": ("swin*",),
    "conv_stem.weight": ("*efficientnet*", "mobilenet*", "mnasnet*", "ghostnet*", "fbnet*"),
    "stages.0.blocks.0.conv_dw.weight": ("convnext*",),
    "layer1.0.conv1.weight": ("*resnet*", "*resnext*", "seresnet*", "ecaresnet*"),
    "stem.conv.weight": ("regnet*", "*nfnet*"),
}
"""A tensor that says which of timm's families a file is of, and their names."""


@dataclass(frozen=True)
class Match:
    """An architecture that a checkpoint fits. outputs: of its head. channels: of its images. keys: of several networks
    in the file that fit, the one that is taken first; empty where there is no choice."""

    source: str
    name: str
    outputs: int | None
    tensors: int
    channels: int = 3
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unmatched:
    """What is known of a checkpoint that no library's architecture fits."""

    tensors: int
    weights: int
    names: tuple[str, str]
    outputs: int | None
    channels: int = 3


def match(path: Path) -> Match | Unmatched:
    """Of the checkpoint in a file. Raises ModelError where it cannot be read, or holds no tensors."""
    content = read_checkpoint(path)
    state = _largest(content, path)
    for source, name in _candidates(content, state, path):
        if (found := _fit(source, name, content, path)) is not None:
            return found
    names, weights = list(state), _weights(state)
    return Unmatched(len(state), weights, (names[0], names[-1]), head_of(state)[0], channels_of(state))


def _largest(content: Any, path: Path) -> dict[str, Tensor]:
    states = states_of(content).values()
    if not states:
        raise ModelError(f"{path}: holds no state_dict. Save model.state_dict().")
    return max(states, key=_weights)


def _weights(state: Mapping[str, Tensor]) -> int:
    return sum(one.numel() for name, one in state.items() if not name.endswith(STATISTICS))


def head_of(state: Mapping[str, Tensor]) -> tuple[int | None, int]:
    """(outputs, features) of the last matrix of a state."""
    shapes = [tuple(one.shape) for one in state.values() if one.ndim == 2]
    return (shapes[-1][0], shapes[-1][1]) if shapes else (None, 0)


def channels_of(state: Mapping[str, Tensor]) -> int:
    """Of the images that a state's first convolution takes."""
    first = next((one for one in state.values() if one.ndim == 4), None)
    return 1 if first is not None and first.shape[1] == 1 else 3


def _candidates(content: Any, state: Mapping[str, Tensor], path: Path) -> Iterator[tuple[str, str]]:
    """torchvision's that a name says, then by their number of weights; then those of timm, whose import takes long."""
    hints = [_plain(one) for one in (*_said(content), path.name, path.parent.name)]
    known = _torchvision()
    first = [name for hint in hints for name in _in(hint, known)]
    yield from (("torchvision", name) for name in dict.fromkeys(first))
    yield from (("module", name) for name in SMALL)
    yield from (("torchvision", name) for name in _by_weights(known, state) if name not in first)
    yield from dict.fromkeys(("timm", name) for hint in hints for name in _in(hint, _timm()))
    yield from _of_families(state)


def _said(content: Any) -> Iterator[str]:
    """Names that the file itself says."""
    if not isinstance(content, Mapping):
        return
    tables = [content, *(content[key] for key in INSIDE if isinstance(content.get(key), Mapping))]
    for table in tables:
        yield from (table[key] for key in SAID if isinstance(table.get(key), str))


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower())


def _in(hint: str, known: Iterable[str]) -> list[str]:
    """Names that stand in a hint as whole words, the longest first."""
    found = [name for name in known if re.search(rf"(?<![a-z0-9]){re.escape(_plain(name))}(?![a-z0-9])", hint)]
    return sorted(found, key=len, reverse=True)[:4]


def _torchvision() -> dict[str, int]:
    """Every classifier and network of segmentation, with the number of weights of its usual one."""
    from torchvision import models

    found = {}
    for module in (models, models.segmentation):
        for name in models.list_models(module=module):
            found[name] = int(models.get_model_weights(name).DEFAULT.meta["num_params"])
    return found


def _timm() -> list[str]:
    try:
        import timm
    except ImportError:
        return []
    return [str(name) for name in timm.list_models()]


def _by_weights(known: Mapping[str, int], state: Mapping[str, Tensor]) -> list[str]:
    """The nearest first, once their heads have as many outputs as the file's."""
    weights, (outputs, features) = _weights(state), head_of(state)
    changed = ((outputs or 1000) - 1000) * (features + 1)

    def far(name: str) -> float:
        return min(abs(known[name] - weights), abs(known[name] + changed - weights)) / max(weights, 1)

    near = sorted((far(name), name) for name in known)
    return [name for distance, name in near[:MOST] if distance < FAR]


def _of_families(state: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    patterns = next((names for tensor, names in FAMILIES.items() if any(one.endswith(tensor) for one in state)), ())
    if not patterns or not _timm():
        return
    import timm

    until = time.monotonic() + SECONDS
    for pattern in patterns:
        for name in timm.list_models(pattern):
            if time.monotonic() > until:
                return
            yield "timm", name


def _fit(source: str, name: str, content: Any, path: Path) -> Match | None:
    try:
        config = ParentConfig(source=source, name=name, weights="random")  # type: ignore[arg-type]
        model = architecture(config, seed=0)
    except Exception:  # of a library's code, which does not build without numbers
        return None
    keys: tuple[str, ...] = ()
    try:
        chosen: Chosen = choose(model, content, None, str(path))
    except ModelError:
        fitting = [(key, one) for key in keys_of(content) if (one := _under(model, content, key, path)) is not None]
        if not fitting:
            return None
        keys, chosen = tuple(key for key, _ in fitting), fitting[0][1]
    outputs = chosen.fit.head[0] if chosen.fit.head else None
    return Match(source, name, outputs or _outputs(model), len(chosen.fit.names), channels_of(chosen.state), keys)


def _under(model: Any, content: Any, key: str, path: Path) -> Chosen | None:
    try:
        return choose(model, content, key, str(path))
    except ModelError:
        return None


def _outputs(model: Any) -> int | None:
    own = getattr(model, "num_classes", None)
    return own if isinstance(own, int) else head_of(dict(model.named_parameters()))[0]
