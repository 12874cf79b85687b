"""Every problem of a run at once: its keys, then parent and data each by itself, then what both have to fit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from evoray.config import ParentConfig, RunConfig, parse_config, read_toml
from evoray.config.messages import KeyPath
from evoray.config.schema import BACKENDS, DataConfig
from evoray.data import open_dataset
from evoray.errors import ConfigError, EvorayError
from evoray.models import Parent, load_parent
from evoray.runtime.importing import import_function
from evoray.runtime.malloc import freed_memory_kept
from evoray.runtime.origin import NoExit
from evoray.runtime.paths import expanded
from evoray.search.guards.checked import with_guards
from evoray.search.inputs import CHECKS, Inputs, Opened, check_inputs, open_data, together, weights_of
from evoray.tracking.registry import check_trackers

T = TypeVar("T")
LATER = ("search", "ensemble", "soup", "statistics", "tracking")
"""Sections that do not say whether parent and data fit."""
SOME_PARENT = {"source": "module", "name": "none:none"}


@dataclass
class Problems:
    """What was found, each once, in the order in which a user would mend it."""

    lines: list[str] = field(default_factory=list)

    def tried(self, step: Callable[[], T]) -> T | None:
        """What a step gives; None where it raises one of EvoRay's errors, which is then a problem."""
        try:
            return step()
        except EvorayError as error:
            for line in getattr(error, "lines", [str(error)]):
                self.add(line)
            return None

    def add(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)


def look_at(path: Path, overrides: Sequence[str] = ()) -> tuple[Inputs | None, list[str]]:
    """The inputs that ``evolve`` would begin with, and every problem; inputs are None where there is any."""
    path, found = Path(expanded(str(path))), Problems()
    folder = path.resolve().parent
    values = found.tried(lambda: read_toml(path, overrides))
    if values is None:
        return None, found.lines
    wrong: Sequence[KeyPath] = ()
    try:
        config: RunConfig | None = parse_config(values, str(path), folder)
    except ConfigError as error:
        found.lines += getattr(error, "lines", [str(error)])
        wrong = getattr(error, "keys", ())
        config = _without(wrong, values, folder)
    with NoExit(folder), freed_memory_kept():
        if config is None:
            _parts(values, folder, found)
            return None, found.lines
        own, names = Problems(), {".".join(map(str, key[:end])) for key in wrong for end in (1, 2)}
        inputs = _inputs(config, folder, own, names)
        own.tried(lambda: check_trackers(config.tracking.to, folder))
    for line in own.lines:
        found.add(line)
    return (None if found.lines else inputs), found.lines


def _without(wrong: Sequence[KeyPath], values: Mapping[str, Any], folder: Path) -> RunConfig | None:
    """The configuration as it is without its wrong keys, and with some parent; None where it is none so either."""
    left: dict[str, Any] = copy.deepcopy(dict(values))
    for key in wrong:
        table: Any = left
        *above, last = takewhile(lambda part: isinstance(part, str), key or ("parent",))
        for part in above:
            table = table.get(part)
        table.pop(last, None)
        if last == "parent" or "parent" in above:
            left["parent"] = SOME_PARENT
    try:
        return parse_config(left, config_dir=folder) if wrong else None
    except ConfigError:
        return None


def _inputs(config: RunConfig, folder: Path, found: Problems, wrong: AbstractSet[str] = frozenset()) -> Inputs | None:
    """The steps of ``check_inputs``, none of which hides another's problem.

    wrong: keys, and their sections, that are not what the file says; what depends on them is left out.
    """
    data = None if "task" in wrong else found.tried(lambda: open_data(config, folder))
    if data is None:
        _data(config.data, folder, found)
    else:
        for check, sections in CHECKS.items():
            if not sections & wrong:
                found.tried(partial(check, data))
    parent = None
    if "parent" not in wrong:
        parent = found.tried(lambda: load_parent(config.parent, folder, seed=config.seed))
    if config.compute.backend not in BACKENDS:
        found.tried(partial(import_function, config.compute.backend, folder))
    apart = data is None or bool(found.lines) or any(name.partition(".")[0] not in LATER for name in wrong)
    if parent is not None and apart and "mutation" not in wrong:
        found.tried(partial(weights_of, config, parent, folder))
    if data is None or parent is None or apart:
        for guard in config.guard:
            with _said_of(f"guard {guard.name}", found) as own:
                _data(guard.data, folder, own)
        return None
    whole = Problems()
    inputs = whole.tried(lambda: together(data, parent))
    if inputs is None and not config.guard:
        _apart(data, parent, folder, whole)
    if inputs is None and config.guard:
        _guards(config, data, parent, found)
    if not found.lines:  # else each guard has said its own
        found.lines += whole.lines
    return inputs


def _apart(data: Opened, parent: Parent, folder: Path, found: Problems) -> None:
    """Which weights change, and whether the network takes the data, each where the other one is wrong."""
    said = len(found.lines)
    if found.tried(partial(weights_of, data.config, parent, folder)) is None and len(found.lines) == said:
        every = data.config.mutation.model_copy(update={"include": ("*",), "exclude": ()})
        found.tried(lambda: together(replace(data, config=data.config.model_copy(update={"mutation": every})), parent))


def _guards(config: RunConfig, data: Opened, parent: Parent, found: Problems) -> None:
    """Each guard alone, since the first one that cannot be used hides the others."""
    without = replace(data, config=data.config.model_copy(update={"guard": ()}))
    alone = found.tried(lambda: together(without, parent))
    for guard in config.guard if alone is not None else ():
        assert alone is not None
        one = replace(alone, config=alone.config.model_copy(update={"guard": (guard,)}))
        found.tried(partial(with_guards, one, partial(check_inputs, config_dir=data.config_dir, run=one)))


def _data(data: DataConfig, folder: Path, found: Problems) -> None:
    """Both sets, so that a wrong path of one does not hide the other's."""
    for path in (data.path, data.test_path):
        if path is not None:
            found.tried(partial(open_dataset, path, folder))


def _parts(values: Mapping[str, Any], folder: Path, found: Problems) -> None:
    """Of a file whose keys are wrong somewhere: parent and data, where those sections are right by themselves."""
    if (parent := _section(ParentConfig, values.get("parent"))) is not None:
        found.tried(lambda: load_parent(parent, folder))
    if (data := _section(DataConfig, values.get("data"))) is not None:
        _data(data, folder, found)


def _section(model: Any, values: Any) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError:
        return None


@contextmanager
def _said_of(what: str, found: Problems) -> Iterator[Problems]:
    """Problems of a part, with its name in front."""
    own = Problems()
    yield own
    for line in own.lines:
        found.add(f"{what}: {line}")
