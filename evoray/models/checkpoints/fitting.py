"""From a checkpoint's tensors to a model's: which names of the file are which of the model's, and what is left out.

What wraps a network puts a prefix before its names (``module.`` DataParallel, ``_orig_mod.`` torch.compile, ``model.``
Lightning, …). A prefix is taken off only where the names do not fit as they are and do fit without it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from evoray.errors import ModelError
from evoray.models.checkpoints.states import State, equal, keys_of, listed_keys, preferred, under_key
from evoray.runtime.reading import shown

WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts that wrappers put into names, in front or in the middle."""
OLD_NAMES = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)\."), r"\1\2."),  # torchvision's DenseNet up to 0.1
    (re.compile(r"\bmlp\.linear_1\."), "mlp.0."),  # torchvision's ViT up to 0.12
    (re.compile(r"\bmlp\.linear_2\."), "mlp.3."),
)
COUNTERS = ("total_ops", "total_params", "n_averaged", "num_batches_tracked")
"""Ends of names that are no weights: thop's, AveragedModel's, BatchNorm's."""
TRACKED = "num_batches_tracked"
PREFIXES, SAID = 64, 5
REMEDY = "Name the architecture that the checkpoint was made with."


@dataclass(frozen=True)
class Fit:
    """How a state's names fit a model's.

    names: the model's name -> the state's. filled: of the model's names, those that the state may lack. head: outputs
    (of the state, of the model) where nothing else differs.
    """

    prefix: str
    names: dict[str, str]
    renamed: str = ""
    filled: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    head: tuple[int, int] | None = None

    @property
    def complete(self) -> bool:
        """Whether each of the model's tensors is there, but for a head of another size."""
        return not self.missing and (not self.shapes or self.head is not None)

    @property
    def problems(self) -> int:
        """How many names do not fit."""
        return len(self.missing) + len(self.unexpected) + len(self.shapes)


@dataclass(frozen=True)
class Chosen:
    """The state that was taken of a checkpoint, how it fits, and the other keys that would have fitted."""

    key: str
    state: State
    fit: Fit
    others: list[str]


def load_into(model: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads a state into a model; every name and shape must fit.

    Raises:
        ModelError: something is missing, left over, of another shape, or of a type that holds no weights.
    """
    install(model, _chosen(model.state_dict(), tied_names(model), {"": dict(state)}, state, origin), origin)


def choose(model: nn.Module, content: Any, weights_key: str | None, origin: str) -> Chosen:
    """The state in a checkpoint that fits a model; one with a head of another size where none fits wholly.

    Raises:
        ModelError: none fits, or several do and ``weights_key`` does not say which is meant.
    """
    states = under_key(content, weights_key, origin)
    return _chosen(model.state_dict(), tied_names(model), states, content, origin)


def fitted(
    own: Mapping[str, Tensor], tied: Mapping[str, str], content: Any, origin: str, weights_key: str | None
) -> dict[str, Tensor]:
    """What a checkpoint has for a parent's tensors, by their names, in their types and shapes; counters may be missing.

    weights_key: where to look first.

    Raises:
        ModelError: as ``load_into``; a head of another size does not fit either.
    """
    key = weights_key if weights_key is not None and weights_key in keys_of(content) else None
    try:
        chosen = _chosen(own, tied, under_key(content, key, origin), content, origin)
        if chosen.fit.shapes:
            raise _misfit(chosen.fit, origin)
    except ModelError as error:
        remedy = "Name checkpoints of the parent's own architecture and head."
        raise ModelError(str(error).replace(REMEDY, remedy)) from None
    names = chosen.fit.names
    return {name: converted(chosen.state[theirs], own[name], name, origin) for name, theirs in names.items()}


def _chosen(
    own: Mapping[str, Tensor], tied: Mapping[str, str], states: Mapping[str, State], content: Any, origin: str
) -> Chosen:
    options = [(key, state, fit) for key, state in states.items() for fit in fits(own, state, tied)]
    good = [one for one in options if one[2].complete]
    good = [one for one in good if one[2].head is None] or good
    if not good:
        raise _misfit(min((fit for _, _, fit in options), key=lambda fit: fit.problems), origin)
    key, state, fit = _one_of(good, content, origin)
    if fit.unexpected:
        raise _misfit(fit, origin)
    named = [f"{one[0]}.{one[2].prefix}".strip(".") for one in good if one[0] != key or one[2] is not fit]
    return Chosen(key, state, fit, named)


def install(model: nn.Module, chosen: Chosen, origin: str) -> None:
    """Writes a state that fits into its model; raises ModelError as ``load_into``."""
    if chosen.fit.head is not None:
        theirs, ours = chosen.fit.head
        raise ModelError(
            f"{shown(origin)}: does not fit the model: its head has {theirs} outputs, the model's {ours} "
            f"({'; '.join(chosen.fit.shapes[:2])}). Build the model with {theirs} outputs: "
            f"parent.classes = {theirs}, or in a module parent's own function."
        )
    own = model.state_dict()
    new = {name: converted(chosen.state[theirs], own[name], name, origin) for name, theirs in chosen.fit.names.items()}
    for alias, name in tied_names(model).items():
        if alias in new and name in new and not torch.equal(new[alias], new[name]):
            raise ModelError(f"{shown(origin)}: {alias} and {name} differ, and the model has one tensor for both.")
    own.update(new)  # keeps the version metadata that some modules insist on
    try:
        model.load_state_dict(own)
    except RuntimeError as error:
        raise ModelError(f"{shown(origin)}: does not fit the model ({shown(error)}).") from None


def said(chosen: Chosen, content: Any, weights_key: str | None, origin: str) -> str | None:
    """One line of what was taken, stripped and ignored; None where the file holds the state and nothing else."""
    fit, parts = chosen.fit, []
    if chosen.others:
        parts.append(f"took {_place(chosen)} (parent.weights_key takes another: {', '.join(chosen.others)})")
    elif chosen.key and weights_key is None:
        parts.append(f"took {chosen.key}")
    if fit.prefix:
        parts.append(f'stripped "{fit.prefix}"')
    if fit.renamed:
        parts.append(fit.renamed)
    if fit.filled:
        parts.append(f"without {_listed(fit.filled)}, left as the model has them")
    ignored = [*fit.ignored, *_beside(chosen, content)]
    if ignored:
        parts.append(f"ignored {_listed(ignored)}")
    return f"{shown(origin)}: {shown('; '.join(parts), 500)}" if parts else None


def _beside(chosen: Chosen, content: Any) -> list[str]:
    """Keys of the file that are neither the state nor in it."""
    if not isinstance(content, Mapping):
        return []
    taken = chosen.key.partition(".")[0]
    return [str(key) for key, one in content.items() if key != taken and (taken or not isinstance(one, Tensor))]


def tied_names(model: nn.Module) -> dict[str, str]:
    """Further names of tensors that a model holds under several, to the first of them in byte order."""
    first: dict[tuple[int, torch.Size, tuple[int, ...]], str] = {}
    aliases = {}
    tensors = model.state_dict(keep_vars=True)
    for name in sorted((one for one in tensors if isinstance(tensors[one], Tensor)), key=str.encode):
        tensor = tensors[name]
        known = first.setdefault((tensor.data_ptr(), tensor.shape, tensor.stride()), name)
        if known != name and tensor.numel():
            aliases[name] = known
    return aliases


def converted(tensor: Tensor, own: Tensor, name: str, origin: str) -> Tensor:
    """A file's tensor in the model's type and shape; raises ModelError where values would be lost or are missing."""
    where, kind = f"{shown(origin)}: {shown(name)}", str(tensor.dtype).removeprefix("torch.")
    if tensor.is_meta:
        raise ModelError(f"{where} has a shape and no values (meta device). Save the model once it has its weights.")
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_complex() or tensor.element_size() == 0:
        raise ModelError(f"{where} is {_nature(tensor, kind)}. Save the float weights of the model.")
    tensor = tensor.resolve_neg().reshape(own.shape)
    if own.dtype == tensor.dtype:
        return tensor
    small = tensor.element_size() == 1 and tensor.dtype is not torch.bool
    if own.is_floating_point() and small:
        raise ModelError(f"{where} is {kind}, which needs a scale to be weights. Save the float weights of the model.")
    changed = tensor.to(own.dtype)
    rounded = tensor.is_floating_point() and own.is_floating_point()
    if not rounded and not name.endswith(TRACKED) and not torch.equal(changed.to(tensor.dtype), tensor):
        ours = str(own.dtype).removeprefix("torch.")
        raise ModelError(f"{where} is {kind}, the model's {ours} cannot hold its values. Save the model's own weights.")
    return changed


def fits(own: Mapping[str, Tensor], state: State, tied: Mapping[str, str]) -> list[Fit]:
    """The ways in which a state's names fit the model's own; where they fit as they are, that one alone."""
    best: list[Fit] = []
    for translate, words in _translations(own, state):
        translated: dict[str, str] = {}
        for name in state:
            translated.setdefault(translate(name), name)
        if len(translated) < len(state):  # two names became one
            continue
        found = [_fit(own, state, translated, tied, prefix, words) for prefix in _prefixes(own, translated)]
        whole = [one for one in found if one.complete]
        if whole:
            return [one for one in whole if one.head is None] or whole
        best += found
    return [min(best, key=lambda one: (one.problems, len(one.prefix)))]


def _fit(
    own: Mapping[str, Tensor],
    state: State,
    translated: Mapping[str, str],
    tied: Mapping[str, str],
    prefix: str,
    words: str,
) -> Fit:
    groups: dict[str, list[str]] = {}
    for alias, name in tied.items():
        groups.setdefault(name, [name]).append(alias)
    names, filled, missing = {}, [], []
    for name in own:
        twins = [name, *groups.get(tied.get(name, name), ())]
        held = next((prefix + one for one in twins if prefix + one in translated), None)
        if held is not None:
            names[name] = translated[held]
        elif name.endswith(TRACKED):
            filled.append(name)
        else:
            missing.append(name)
    left = [name for name in translated if translated[name] not in set(names.values())]
    inside = [name for name in left if name.startswith(prefix) and name.rpartition(".")[2] not in COUNTERS]
    differing = {
        name: (tuple(state[theirs].shape), tuple(own[name].shape))
        for name, theirs in names.items()
        if state[theirs].shape != own[name].shape and not (state[theirs].numel() == own[name].numel() == 1)
    }
    return Fit(
        prefix,
        names,
        words,
        filled,
        [translated[name] for name in left if name not in set(inside)],
        missing,
        inside,
        [f"{name} is {theirs}, the model's is {ours}" for name, (theirs, ours) in differing.items()],
        _head(differing),
    )


def _head(differing: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> tuple[int, int] | None:
    """Outputs of (the state, the model) where all that differs is the first side of weights and biases, in one way.

    Another width of a hidden layer would show in the second side of the next one.
    """
    pairs = {(theirs[0], ours[0]) for theirs, ours in differing.values() if theirs and ours and theirs[1:] == ours[1:]}
    alike = all(theirs[1:] == ours[1:] and theirs and ours for theirs, ours in differing.values())
    named = all(name.endswith(("weight", "bias")) for name in differing)
    return pairs.pop() if len(pairs) == 1 and alike and named else None


def _translations(own: Mapping[str, Tensor], state: State) -> Iterable[tuple[Callable[[str], str], str]]:
    """Names as they are, without what wrappers put into them, and as libraries name them today; with what to say."""
    yield str, ""
    parts = [one for one in WRAPPERS if not any(one in name.split(".") for name in own)]
    inside = sorted({part for name in state for part in name.split(".")[:-1] if part in parts})

    def bare(name: str) -> str:
        return ".".join(part for part in name.split(".") if part not in inside)

    if inside:
        yield bare, f'stripped "{", ".join(inside)}" inside names'

    def today(name: str) -> str:
        name = bare(name)
        for pattern, new in OLD_NAMES:
            name = pattern.sub(new, name)
        return name

    old = next((name for name in state if today(name) != bare(name)), None)
    if old is not None:
        yield today, f"took torchvision's old names ({old}) for today's"


def _prefixes(own: Mapping[str, Tensor], names: Mapping[str, str]) -> list[str]:
    """No prefix; and if that leaves a name out, those before a few of the model's names, the shortest first."""
    required = [name for name in own if not name.endswith(TRACKED)]
    if all(name in names for name in required):
        return [""]
    probes = {required[0], required[len(required) // 2], required[-1], max(required, key=len)} if required else set()
    found = {name[: -len(probe)] for probe in probes for name in names if name.endswith(f".{probe}")}
    return ["", *sorted(found, key=lambda prefix: (len(prefix), prefix))[:PREFIXES]]


def _one_of(good: list[tuple[str, State, Fit]], content: Any, origin: str) -> tuple[str, State, Fit]:
    """Of states that fit, the one that is meant; raises ModelError where that is open."""
    key = preferred(list(dict.fromkeys(one[0] for one in good)))
    left = [one for one in good if one[0] == key] if key is not None else good
    first = left[0]
    if all(equal(_taken(first), _taken(one)) for one in left[1:]):
        return first
    places = [f"{key}.{fit.prefix}".strip(".") or "the names without a prefix" for key, _, fit in left]
    raise ModelError(
        f"{shown(origin)}: holds several networks that fit: {shown(', '.join(places))}. Choose one, such as "
        f'parent.weights_key = "{shown(next(one for one in places if " " not in one))}". {listed_keys(content)}.'
    )


def _taken(one: tuple[str, State, Fit]) -> State:
    return {name: one[1][theirs] for name, theirs in one[2].names.items()}


def _misfit(fit: Fit, origin: str) -> ModelError:
    """Says a few of each kind of problem."""
    kinds = [
        [f"missing {shown(name)}" for name in fit.missing],
        [f"unexpected {shown(name)}" for name in fit.unexpected],
    ]
    kinds.append(fit.shapes)
    turns = [one for turn in zip_longest(*kinds) for one in turn if one is not None]
    few = sorted(turns[:SAID], key=[one for kind in kinds for one in kind].index)
    more = f" and {len(turns) - SAID} more" if len(turns) > SAID else ""
    return ModelError(f"{shown(origin)}: does not fit the model: {'; '.join(few)}{more}. {REMEDY}")


def _place(chosen: Chosen) -> str:
    return f"{chosen.key}.{chosen.fit.prefix}".strip(".") or "the names without a prefix"


def _listed(names: Sequence[str]) -> str:
    """A few names, each ending once: 40 tensors of one kind are one entry."""
    ends = list(dict.fromkeys(f"*.{name.rpartition('.')[2]}" if name.endswith(COUNTERS) and "." in name else name
                              for name in names))  # fmt: skip
    more = f" and {len(ends) - SAID} more" if len(ends) > SAID else ""
    return ", ".join(ends[:SAID]) + more


def _nature(tensor: Tensor, kind: str) -> str:
    if tensor.is_quantized:
        return f"quantised ({kind})"
    if tensor.layout is not torch.strided:
        return f"sparse ({tensor.layout})"
    return f"complex ({kind})" if tensor.is_complex() else kind
