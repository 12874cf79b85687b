"""Parents from .onnx files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from evoray.config import ParentConfig
from evoray.data.text.tokenizer import FAST, VOCABULARIES
from evoray.errors import ConfigError
from evoray.models.base import Parent, Preprocessing, configured
from evoray.models.onnx.feeds import Wanted, channels_behind
from evoray.models.onnx.file import GRAPH, find_file, graph_of, imported, read_onnx, with_integers
from evoray.models.onnx.graph import answers, cut, other_integers
from evoray.models.onnx.network import OnnxNetwork
from evoray.runtime.reading import shown

if TYPE_CHECKING:
    from onnx import ModelProto

LOGITS = "logits"
LISTED = 6


def load(config: ParentConfig, config_dir: Path | None) -> Parent:
    """The file that ``parent.name`` is.

    Raises:
        ConfigError: there is none, or onnx is not installed. ModelError: it cannot be used.
    """
    imported()
    for key in ("classes", "weights_key"):
        if getattr(config, key) is not None:
            raise ConfigError(f"parent.{key}: an onnx parent is what its file says. Leave {key} out.")
    path = find_file(config.name, config_dir)
    state = _state(path, config.integers == "rounded")
    model = graph_of(state[GRAPH])
    output, chosen = _output(model, config.output)
    network = OnnxNetwork(state, output, path.name)
    preprocessing = _preprocessing(network)
    if config.mean is not None and preprocessing.mean is not None:
        raise ConfigError(
            "parent.mean and parent.std: this parent takes images as whole numbers from 0 to 255. Leave them out."
        )
    notes = (*chosen, *_said(network, state))
    return Parent(network, path.stem, configured(config, preprocessing), notes=notes, tokenizer=_tokenizer(path))


def _state(path: Path, integers: bool) -> dict[str, Tensor]:
    state = read_onnx(path)
    if not integers:
        return state
    found = with_integers(state)
    if found.keys() == state.keys():
        for name, kind in other_integers(graph_of(state[GRAPH])):
            raise ConfigError(
                f'parent.integers = "rounded": {shown(path)}: {shown(name, 80)} is {kind}, and weights of int8 and '
                "uint8 alone go by whole steps. Quantize the network to int8, or leave integers out: then its floating "
                "weights and scales are searched."
            )
        raise ConfigError(
            f'parent.integers = "rounded": {shown(path)} has no int8 or uint8 weights that are initializers of the '
            "operations that take them. Leave it out."
        )
    return found


def _output(model: ModelProto, wanted: str | None) -> tuple[str, tuple[str, ...]]:
    """Which value is the answer, and what is to be said of that."""
    there = answers(model.graph)
    if wanted is None:
        chosen = LOGITS if LOGITS in there else there[0]
        others = [shown(name, 40) for name in there if name != chosen][:LISTED]
        line = f"of the parent's outputs {shown(chosen, 60)} is the answer, not {', '.join(others)} (parent.output)"
        return chosen, (line,) if others else ()
    try:
        cut(model.graph, wanted)
    except KeyError:
        raise ConfigError(
            f'parent.output = "{shown(wanted)}": no value of the graph has that name. Its outputs are '
            f"{', '.join(shown(name, 40) for name in there[:LISTED])}."
        ) from None
    return wanted, ()


def _preprocessing(network: OnnxNetwork) -> Preprocessing:
    """What the graph's one input says of images; those that go in as whole numbers are normalised inside."""
    wanted = _images(network)
    if wanted is None:
        return Preprocessing()
    channels = next((count for count in (1, 3) if channels_behind(wanted, count)), None)
    channels = channels or (1 if wanted.sides[1] == 1 else 3)
    whole = not wanted.dtype.is_floating_point
    return Preprocessing(
        mean=(0.0,) * channels if whole else None, std=(1.0,) * channels if whole else None, channels=channels
    )


def _images(network: OnnxNetwork) -> Wanted | None:
    wanted = network.feeds.wanted
    return wanted[0] if len(wanted) == 1 and len(wanted[0].sides) == 4 else None


def _said(network: OnnxNetwork, state: dict[str, Tensor]) -> Iterator[str]:
    _, runtime = imported()
    weights = sum(values.numel() for values in state.values() if values.is_floating_point())
    whole = sum(state[name].numel() for name in network.integers)
    of_whole = f"{whole:,} integer weights too, by whole steps" if whole else "integer weights stay"
    yield (
        f"the parent is run by onnxruntime {runtime.__version__} on the CPU: {weights:,} floating weights and "
        f"scales may be mutated, {of_whole}; nothing is compiled and no activations are kept"
    )
    records, feeds = network.feeds.records, network.feeds
    if feeds.dynamic and records == 1:
        yield (
            "the parent chooses scales by all values of a batch (DynamicQuantizeLinear), so records are run one by "
            "one: else a record's answer would hang on its neighbours"
        )
    elif records is not None:
        yield (
            f"the parent's graph takes {records} records a pass, so batches are run in such pieces. An open first side "
            "(dynamic axes) is faster"
        )
    wanted = _images(network)
    if wanted is not None and any(channels_behind(wanted, count) for count in (1, 3)):
        yield "images go in as [n, height, width, channels], as the parent's graph says"
    if wanted is not None and not wanted.dtype.is_floating_point:
        yield "images go in as whole numbers from 0 to 255, as the parent's graph says"
    half = {name for name, values in state.items() if values.is_floating_point() and values.element_size() < 4}
    if half:
        yield f"{len(half)} of the parent's tensors are in half precision, and are copied in every pass"


def _tokenizer(path: Path) -> str | None:
    """Beside the file, or a folder above, as exporters write them."""
    for folder in (path.parent, path.parent.parent):
        if any((folder / name).exists() for name in (FAST, *VOCABULARIES)):
            return str(folder)
    return None
