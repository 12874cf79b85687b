"""``evoray init``: looks at a parent and at data, and writes the configuration of a run of both. Nothing is run.

What was found stands in it, what else may be said stands beside it as comments.
"""

import json
import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evoray.begin.files import write_text
from evoray.begin.init.data import MANIFEST, FoundData, find_data, shards_name
from evoray.begin.init.parents import FoundParent, find_parent
from evoray.begin.init.tasks import Chosen, choose, cut_of
from evoray.config.loading import parse_config, parse_toml
from evoray.errors import ConfigError
from evoray.runtime.importing import leaving_no_modules
from evoray.runtime.origin import NoExit
from evoray.runtime.paths import expanded
from evoray.runtime.reading import shown
from evoray.tasks.registry import TASKS

SHARDS = "shards"
"""The folder of all shards that are made, beside the configuration."""
NAMED = ("transformers", "onnx")
"""Sources whose name is a path; of all others ``weights`` may be one."""


@dataclass(frozen=True)
class Begun:
    """text: of the configuration. ingest: the command that makes the shards, None where they are there. to_do: what the
    user has to fill in. said: what was found. then: the commands that come next."""

    path: Path
    text: str
    ingest: str | None
    to_do: tuple[str, ...]
    said: tuple[str, ...]
    then: tuple[str, ...]


@leaving_no_modules()
def begin(
    parent: str, data: str, out: Path, *, weights: str | None = None, task: str | None = None, force: bool = False
) -> Begun:
    """Looks, and writes the configuration.

    Raises:
        ConfigError, DataError, ModelError: parent or data are none, or ``out`` is there; nothing is written then.
    """
    out = Path(expanded(str(out)))
    if os.path.lexists(out) and not force:
        raise ConfigError(f"{shown(out)}: is there already. Name another file with --out, or say --force.")
    folder = Path(os.path.abspath(out)).parent
    with NoExit(folder):
        found = find_parent(parent, weights, folder)
    there = _made_already(find_data(data, found.kind == "masks"), folder)
    chosen = choose(found, there, task)
    begun = _begun(out, found, there, chosen)
    parse_config(parse_toml(begun.text.encode(), str(out)), str(out), None)
    write_text(out, begun.text)
    return begun


def _made_already(data: FoundData, folder: Path) -> FoundData:
    """Shards of that name, where an ingest has made them before."""
    place = folder / SHARDS / shards_name(data.source) if data.source else None
    if place is None or not os.path.isfile(place / MANIFEST):
        return data
    made = find_data(os.path.relpath(place), False)
    path = os.path.join(SHARDS, place.name)
    return replace(made, path=path, columns=data.columns, said=(*data.said, *made.said))


def _begun(out: Path, parent: FoundParent, data: FoundData, chosen: Chosen) -> Begun:
    folder = Path(os.path.abspath(out)).parent
    shards = data.path or os.path.join(SHARDS, shards_name(data.source))
    beside = os.path.relpath(folder / shards) if data.source else shards
    ingest = command(tuple(_ingest(out, parent, data, chosen, beside))) if data.source else None
    then = tuple(command(words) for words in _then(out))
    to_do = (*parent.to_do, *chosen.to_do)
    task = f"task: {chosen.task}, {chosen.how}"
    lines = [*_head(ingest, to_do, then), *_sections(folder, parent, data, chosen, shards)]
    return Begun(out, "\n".join(lines) + "\n", ingest, to_do, (*parent.said, *data.said, task), then)


def _ingest(out: Path, parent: FoundParent, data: FoundData, chosen: Chosen, dest: str) -> Iterator[str]:
    yield from ("evoray", "data", "ingest", data.source, dest)
    if parent.to_do:  # a parent that cannot be built yet says nothing
        if chosen.task != "image-classification":
            yield from ("--task", chosen.task)
    else:
        yield from ("--for", str(out))
    yield from (*cut_of(parent, data), *data.options, *chosen.options)


def _then(out: Path) -> Iterator[tuple[str, ...]]:
    yield "evoray", "check", str(out)
    yield "evoray", "run", str(out), "--out", os.path.join("runs", out.stem)
    yield "evoray", "show", os.path.join("runs", out.stem)


def _head(ingest: str | None, to_do: tuple[str, ...], then: tuple[str, ...]) -> Iterator[str]:
    yield "# A run of EvoRay, as `evoray init` wrote it. What a key means: `evoray explain KEY`."
    if to_do:
        yield from ("#", "# To be filled in:", *(f"#   {one}" for one in to_do))
    if ingest is not None:
        yield from ("#", "# Once, to make the shards that the run reads:", f"#   {ingest}")
    yield from ("#", "# Then:", *(f"#   {one}" for one in then))


def _sections(folder: Path, parent: FoundParent, data: FoundData, chosen: Chosen, shards: str) -> Iterator[str]:
    path = "name" if parent.source in NAMED else "weights"
    keys = [(key, _placed(value, folder) if key == path else value, about) for key, value, about in parent.keys]
    yield from section(
        "parent", [*(line(*one) for one in keys), *parent.beside, *(() if data.columns else parent.normalisation)]
    )
    yield from section("data", _data(data, chosen, shards))
    yield from section("task", [line("name", chosen.task, chosen.how), *(line(*one) for one in chosen.keys)])
    yield from section("fitness", _fitness(chosen))
    yield from section("mutation", _mutation())
    yield from section("search", _search())
    yield from section("compute", _compute())


def _data(data: FoundData, chosen: Chosen, shards: str) -> Iterator[str]:
    yield line("path", shards, data.said[-1] if not data.source else "made by the ingest above")
    yield line("select", 0.5, "the share that chooses among children", off=True)
    yield line("test", 0.5, "the share that is reported, and chooses nothing", off=True)
    yield line("test_path", "shards/test", "or a test set of its own", off=True)
    if chosen.task == "image-classification":
        yield line("outputs", "in-order", "which output is which class, where check cannot tell", off=True)


def _fitness(chosen: Chosen) -> Iterator[str]:
    task = TASKS.get(chosen.task)
    if task is None:
        yield line("name", "measure:score", "the task's own figure unless another is named", off=True)
        return
    own = getattr(task, "fitness", "") or next(iter((*task.scored, *task.measures)))
    names = [name for name in task.measures if name != own]
    yield line("name", "nll" if "nll" in task.measures else own, _or(names), off=True)


def _or(names: list[str]) -> str:
    return f"the default; or {', '.join([*names, 'a function of yours: module:function'])}"


def _mutation() -> Iterator[str]:
    yield line("sigma", 0.1, 'strength, in units of each tensor\'s scale; "auto": found by the run', off=True)
    yield line("parts", 10, "a child changes one weight in so many", off=True)


def _search() -> Iterator[str]:
    yield line("children", 40, "a generation's")
    yield line("generations", 1, "more go on from what the one before found")


def _compute() -> Iterator[str]:
    yield line("backend", "ray", "a cluster, or a Ray of the run's own; local: threads of one process", off=True)
    yield line("workers", "auto", "", off=True)


def _placed(value: object, folder: Path) -> object:
    """A path as the configuration's folder sees it, where it is not the working directory."""
    if not isinstance(value, str) or not os.path.exists(value) or os.path.isabs(value) or folder == Path.cwd():
        return value
    inside = os.path.relpath(value, folder)
    return os.path.abspath(value) if inside.startswith("..") else inside


COLUMN = 32
"""Where comments begin."""


def toml_value(value: Any) -> str:
    """As TOML writes it. Raises ConfigError for a text that TOML cannot hold."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{shown(value)}: a name that is not UTF-8, and TOML is. Rename it.") from None
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def line(key: str, value: Any, comment: str = "", off: bool = False) -> str:
    """``key = value   # comment``; off: as a comment itself."""
    text = f"{'# ' if off else ''}{key} = {toml_value(value)}"
    return f"{text.ljust(COLUMN - 1)} # {shown(comment)}" if comment else text


def section(name: str, lines: Iterable[str]) -> Iterator[str]:
    yield ""
    yield f"[{name}]"
    yield from lines


def command(words: Sequence[str]) -> str:
    """For a shell; what a user has to fill in stays as it is."""
    return shlex.join(words)
