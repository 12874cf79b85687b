"""Children of a run inside a running engine of vLLM, for generation at its speed.

A worker extension: vLLM imports ``Extension`` by its name in every worker, and mixes it into the worker's class. What
stands here needs vLLM in ``Engine.start`` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evoray.errors import ConfigError, LineageError, ModelError, RunError
from evoray.models.checkpoints.files import read_state
from evoray.models.engine.fused import INSTEAD, places, unpack, views
from evoray.models.engine.writing import Writer
from evoray.mutation import Lineage, tensors_sha256
from evoray.mutation.document import opened
from evoray.runtime.reading import parse_json, read_file, shown

EXTENSION = f"{__name__}.Extension"


class Engine:
    """vLLM's ``LLM`` with children of one run written into it; without one, its answers are the parent's.

    Args:
        llm: an ``LLM`` of the parent's folder with ``worker_extension_cls = EXTENSION``.
        folder: the parent's. lineage: any lineage file of the run: it says which tensors are mutated.

    Raises:
        LineageError: the folder is not the lineage's parent. ModelError: the engine holds its weights in a way that
            cannot be written to.
    """

    def __init__(self, llm: Any, folder: str | Path, lineage: str | Path) -> None:
        self.llm = llm
        document = _read(lineage)
        self._parent, self._space = opened(document)
        _answer(llm, "evoray_open", str(folder), document)

    @classmethod
    def start(cls, folder: str | Path, lineage: str | Path, **options: Any) -> Engine:
        """The same of an ``LLM(model=folder, **options)`` started here. Raises ConfigError without vLLM."""
        try:
            from vllm import LLM
        except ImportError:
            raise ConfigError(
                "vLLM is not installed here. Install the vllm of your device and evoray into one environment: its own "
                "release of torch decides, and EvoRay takes any from 2.9 on."
            ) from None
        return cls(LLM(model=str(folder), worker_extension_cls=EXTENSION, **options), folder, lineage)

    @contextmanager
    def child(self, lineage: str | Path | Lineage) -> Iterator[Any]:
        """The engine with a child's weights, for as long as the context is open."""
        self.write(lineage)
        try:
            yield self.llm
        finally:
            self.take_back()

    def write(self, lineage: str | Path | Lineage) -> int:
        """Writes a child: a lineage file of the same run, or a lineage. Returns how many weights it changed.

        Raises LineageError for one of another parent or space; the parent's weights are there then.
        """
        if not isinstance(lineage, Lineage):
            parent, space = opened(document := _read(lineage))
            if (parent, space.sha256) != (self._parent, self._space.sha256):
                raise LineageError(f"{shown(lineage)}: of another parent or space than the engine was opened with.")
            lineage = Lineage.from_json(document["entries"])
        self._forget()
        return int(_answer(self.llm, "evoray_write", lineage.to_json()))

    def take_back(self) -> None:
        """Writes the parent's weights again, bit for bit."""
        self._forget()
        _answer(self.llm, "evoray_take_back")

    def weights_sha256(self) -> str:
        """Digest of the weights in the engine, under the parent's names: where its type is the parent's, the lineage
        file's ``weights_sha256``."""
        return str(_answer(self.llm, "evoray_weights_sha256"))

    def _forget(self) -> None:
        """Keys and values of prompts answered before are of other weights."""
        if not self.llm.reset_prefix_cache():
            raise RunError("the engine answers prompts now: children are written between calls of generate.")


class Extension:
    """What a worker of vLLM does for ``Engine``; lists and strings travel. Refusals come back as text."""

    evoray_writer: Writer
    evoray_held: dict[str, list[Tensor]]

    def evoray_open(self, folder: str, document: dict[str, Any]) -> list[str]:
        """Finds every tensor of the parent among the engine's weights, compares it, and keeps where it is."""
        try:
            with torch.inference_mode():
                self._evoray_open(folder, document)
        except (LineageError, ModelError) as error:
            return [type(error).__name__, str(error)]
        return []

    def _evoray_open(self, folder: str, document: dict[str, Any]) -> None:
        runner: Any = self.model_runner  # type: ignore[attr-defined]
        model = runner.get_model()
        digest, space = opened(document)
        if space.others:
            raise LineageError(f"children of kind towards need other checkpoints, which no engine has. {INSTEAD}")
        state, aliases = parent_state(folder, document, digest)
        known = dict(model.named_parameters(remove_duplicate=False))
        found = places(state, getattr(model, "packed_modules_mapping", {}), known)
        if any(hasattr(module, "cpu_linear") for module in model.modules()):
            if not runner.model_config.enforce_eager:
                raise ModelError("a compiled engine keeps packed weights on the CPU. Start it with enforce_eager=True.")
            unpack(model, state, found)
        self.evoray_held = views(model, state, found, aliases)
        self.evoray_shapes = {name: tuple(state[name].shape) for name in self.evoray_held}
        self.evoray_writer = Writer(space, state, self.evoray_held)

    def evoray_write(self, entries: list[dict[str, Any]]) -> Any:
        """Writes a child; returns how many weights it changed."""
        try:
            with torch.inference_mode():
                return self.evoray_writer.write(Lineage.from_json(entries).entries)
        except (LineageError, ModelError) as error:
            return [type(error).__name__, str(error)]

    def evoray_take_back(self) -> None:
        with torch.inference_mode():
            self.evoray_writer.take_back()

    def evoray_weights_sha256(self) -> str:
        with torch.inference_mode():
            held = {name: found[0].reshape(self.evoray_shapes[name]) for name, found in self.evoray_held.items()}
            return tensors_sha256(held)


def parent_state(
    folder: str | Path, document: Mapping[str, Any], digest: str
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A folder's tensors, tied ones under each of their names, and those names: alias -> the run's own name.

    Raises LineageError where they are not what the run started from.
    """
    state = read_state(folder)
    aliases: dict[str, str] = document["parent"].get("aliases", {})
    for alias, name in aliases.items():  # a file holds a tied tensor under one of its names
        if (tied := state.get(name, state.get(alias))) is not None:
            state[name] = state[alias] = tied
    if tensors_sha256({name: one for name, one in state.items() if name not in aliases}) != digest:
        raise LineageError(f"{shown(folder)}: its weights are not those of the lineage's parent. Name that.")
    return state, aliases


def _read(lineage: str | Path) -> dict[str, Any]:
    document: dict[str, Any] = parse_json(read_file(lineage, error=LineageError), str(lineage), LineageError)
    return document


def _answer(llm: Any, method: str, *args: Any) -> Any:
    """The first worker's; what any refused is raised here."""
    found = llm.collective_rpc(method, args=args)
    for one in found:
        if isinstance(one, list) and one:
            raise {"LineageError": LineageError, "ModelError": ModelError}[one[0]](one[1])
    return found[0]
