"""Which of the dictionaries in a checkpoint are states of a network, and which of them is meant."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from evoray.config.allowed import nearest
from evoray.errors import ModelError
from evoray.models.checkpoints.torch_file import StandIn
from evoray.runtime.reading import shown

State = dict[str, Tensor]
TIMM_ORDER = ("state_dict_ema", "model_ema", "state_dict", "model")
"""What timm's own loader takes where there are several (``timm.models._helpers.load_state_dict``): averages first."""
CONTAINERS = (
    *TIMM_ORDER,
    "net",
    "network",
    "model_state_dict",
    "model_state",
    "weights",
    "params",
    "module",
    "generator",
)
"""Keys under which training programs keep a network beside other things."""
UNAVERAGED = "current_model_state"
"""Where Lightning's WeightAveraging keeps what was not averaged; ``state_dict`` is the average."""
DEPTH, LISTED, ENTRIES = 6, 12, 64
NETWORKS = 4
"""As many prefixes as these may be networks in one state; more are a network's layers."""


def states_of(content: Any) -> dict[str, State]:
    """Tensors by name, of every dictionary that holds some; its key is the dotted path to it, "" the file itself."""
    found: dict[str, State] = {}
    seen: set[int] = set()

    def look(node: Any, path: tuple[str, ...]) -> None:
        if len(path) > DEPTH or id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, list | tuple) and len(node) <= ENTRIES:
            node = {str(index): one for index, one in enumerate(node) if not isinstance(one, Tensor)}
        if not isinstance(node, Mapping):
            return
        tensors = {
            name: one.detach() for name, one in node.items() if isinstance(name, str) and isinstance(one, Tensor)
        }
        if tensors:
            found[".".join(path)] = tensors
        for name, one in node.items():
            if isinstance(name, str) and isinstance(one, Mapping | list | tuple):
                look(one, (*path, name))

    look(content, ())
    return found


def under_key(content: Any, weights_key: str | None, origin: str) -> dict[str, State]:
    """The states under ``parent.weights_key``, all of them where it is None.

    The key is a path into dictionaries, or a prefix of tensors' names, its parts joined by dots.

    Raises:
        ModelError: nothing is there, with the keys there are.
    """
    if weights_key is None:
        found = states_of(content)
    else:
        found = {f"{weights_key}.{key}".strip("."): one for key, one in states_of(_at(content, weights_key)).items()}
    if found:
        return found
    if weights_key is None:
        raise ModelError(f"{shown(origin)}: holds no state_dict. Save model.state_dict().{_described(content)}")
    near = nearest(weights_key, keys_of(content))
    raise ModelError(
        f'{shown(origin)}: parent.weights_key = "{shown(weights_key)}": no tensors under it. {listed_keys(content)}.'
        f"{f' Did you mean {shown(near)}?' if near else ''}"
    )


def listed_keys(content: Any) -> str:
    """The keys of a checkpoint's states, for a message."""
    keys = keys_of(content)
    if not keys and (states := states_of(content)):
        names = list(states[""])
        more = ", …" if len(names) > 1 else ""
        return f"Its tensors stand under no key ({shown(names[0], 80)}{more}): leave parent.weights_key out"
    more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    return f"There are {shown(', '.join(keys[:LISTED]) or 'none', 600)}{more}"


def keys_of(content: Any) -> list[str]:
    """What ``parent.weights_key`` may be: paths to states, and prefixes of names where those are of whole networks."""
    found = []
    for key, state in states_of(content).items():
        tops = {name.partition(".")[0] for name in state}
        nested = {name.partition(".")[0] for name in state if name.count(".") >= 2}
        whole = len(tops) <= NETWORKS and tops == nested
        found += [key] if key else []
        found += [f"{key}.{top}".strip(".") for top in sorted(tops)] if whole else []
    return found


def only_state(content: Any, weights_key: str | None, origin: str) -> State:
    """The state of a checkpoint that no model is there to be compared with: the only one, or under a usual key.

    Raises:
        ModelError: none, or several and no usual key.
    """
    states = under_key(content, weights_key, origin)
    usual = [key for key in CONTAINERS if key in states]
    if usual and isinstance(content, Mapping) and usual[0] in TIMM_ORDER:
        return states[usual[0]]
    chosen = usual if len(usual) == 1 else list(states)
    if len(chosen) > 1:
        raise ModelError(f"{shown(origin)}: holds several states. {listed_keys(content)}. Save the one you mean.")
    return states[chosen[0]]


def preferred(keys: list[str]) -> str | None:
    """Of several states that fit: the one that timm's loader takes; None where it knows not all of them."""
    if len(keys) == 1:
        return keys[0]
    if "state_dict" in keys:
        keys = [key for key in keys if key != UNAVERAGED]
    if not all(key.partition(".")[0] in TIMM_ORDER for key in keys):
        return None
    best = min(TIMM_ORDER.index(key.partition(".")[0]) for key in keys)
    first = [key for key in keys if key.partition(".")[0] == TIMM_ORDER[best]]
    return first[0] if len(first) == 1 else None


def equal(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    """Whether two states hold the same names and values."""
    return left.keys() == right.keys() and all(
        left[name].shape == right[name].shape and torch.equal(left[name], right[name]) for name in left
    )


def _at(node: Any, key: str) -> Any:
    """What lies under a dotted path; None where nothing does. Keys may hold dots themselves."""
    if not key:
        return node
    if isinstance(node, list | tuple):
        node = {str(index): one for index, one in enumerate(node)}
    if not isinstance(node, Mapping):
        return None
    names = [name for name in node if isinstance(name, str)]
    for name in sorted(names, key=len, reverse=True):
        if key == name or key.startswith(f"{name}."):
            found = _at(node[name], key[len(name) + 1 :])
            if found is not None and not isinstance(found, Tensor):
                return found
    return {name[len(key) + 1 :]: node[name] for name in names if name.startswith(f"{key}.")} or None


def _described(content: Any) -> str:
    """What is in a file without a state."""
    if not isinstance(content, Mapping):
        return f" It holds {_kind(content)}."
    if not content:
        return ""
    items = [f"{key} ({_kind(one)})" if isinstance(one, StandIn) else str(key) for key, one in content.items()]
    return f" Its keys are {shown(', '.join(items[:LISTED]))}."


def _kind(one: Any) -> str:
    if isinstance(one, StandIn):
        return f"a pickled {shown(type(one).name)}"
    return f"a {type(one).__name__}"
