"""May a run go on with what it is given now? Everything that its answer depends on must be what it was."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from evoray.config import RunConfig, parse_config
from evoray.errors import ConfigError, UsageError
from evoray.runtime.auto import given
from evoray.runtime.reading import quoted
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import BEGINNING

CONFIG, IDENTITY = BEGINNING
NAMED = 20
"""Differences in one message."""
FREE = {
    "compute.backend",
    "compute.workers",
    "compute.cpus_per_worker",
    "compute.gpus_per_worker",
    "compute.keep_activations",
    "compute.resident_gib",
    "data.path",
    "data.test_path",
    "data.cache_dir",
    "data.cache_gb",
    "fitness.reference",
    "mutation.towards",
    "parent.weights",
    "parent.weights_key",
    "parent.classes",
}
"""Keys that a resumed run may change: they say where work is done and where bytes lie. Parent and data are compared by
digest, and what the first three imply (threads, device) is compared by its own key. So it is with a guard's data."""
_OF_GUARD = re.compile(r"guard\.\d+\.(?=data\.)")
_TRACKING = "tracking"
"""A section that may change altogether: nothing that a run finds depends on it."""


def check_same(directory: RunDirectory, config: RunConfig, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Raises UsageError with every key that differs; ``"auto"`` stands for whatever it was resolved to before.

    Returns:
        The run's recorded configuration, with what of it may change as it is now.
    """
    recorded = _completed(directory.read_json("config.json"))
    found = directory.read_json(IDENTITY)
    _check_one_run(directory, found.get("config") or {})
    recorded = _tracked_as(recorded, config)
    # an older run did not record all of its identity
    before = {"strategy": 1, **found, "config": recorded}
    now = {"config": config.model_dump(mode="json"), **{key: new for key, new in identity.items() if key in before}}
    differing = []
    for path, old, new in _differences((), {key: before.get(key) for key in now}, now):
        name = ".".join(path).removeprefix("config.")
        free = _OF_GUARD.sub("", name) in FREE
        if free and given(new) is not None:
            _put(recorded, path[1:], new)
        elif path[0] == "code":
            differing.append(f"the code of {path[1]} is not what it was")
        elif path[0] == "reference":
            differing.append("fitness.reference holds other records than it did")
        elif path[0] == "strategy":
            differing.append(
                f"search.strategy: {config.search.strategy} searches otherwise than in the EvoRay that began it"
            )
        elif not free and not (given(new) is None and _was_looked_up(directory, name)):
            was, is_now = _told(path, old, recorded), _told(path, new, now["config"])
            differing.append(f"{name} was {was} and is {is_now}")
    if differing:
        more = f"; and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
        raise UsageError(
            f"{directory.location}: cannot be resumed, {'; '.join(differing[:NAMED])}{more}. "
            "Resume with what the run started with, or start a new one with another out=."
        )
    return recorded


def _check_one_run(directory: RunDirectory, begun: Mapping[str, Any]) -> None:
    """Raises UsageError where ``journal/`` is of a run with another configuration than the one beside it.

    begun: the configuration as the journal's run began; older runs have none there.
    """
    recorded = directory.read_json("config.json")
    free = FREE | {"mutation.sigma", "compute.batch_size"}
    for path, old, new in _differences((), begun, {**recorded, _TRACKING: begun.get(_TRACKING)}):
        if _OF_GUARD.sub("", name := ".".join(path)) not in free and old is not None and new is not None:
            raise UsageError(
                f"{directory.location}: journal/ is of another run, whose {name} was {quoted(old, 80)}, and "
                f"config.json says {quoted(new, 80)}. Put the run's own files together, or start a new one."
            )


def _tracked_as(recorded: Mapping[str, Any], config: RunConfig) -> dict[str, Any]:
    """A recorded configuration with ``[tracking]`` as it is now, or without it."""
    now = {key: value for key, value in config.model_dump(mode="json").items() if key == _TRACKING}
    return {key: value for key, value in recorded.items() if key != _TRACKING} | now


def _told(path: Sequence[str], value: Any, config: Mapping[str, Any]) -> str:
    """A value for a message; of a key that is not recorded where it has its default, that."""
    if value is None and path[0] == "config":
        with suppress(ConfigError, RecursionError):
            value = parse_config(dict(config))
            for key in path[1:]:
                value = getattr(value, key, None)
    return "not given" if value is None else quoted(value, 120)


def _was_looked_up(directory: RunDirectory, name: str) -> bool:
    """Whether the run itself found the recorded value of a key; a run that was given one is another run."""
    if name == "mutation.sigma":
        return directory.exists("window.json") and "chosen" in directory.read_json("window.json")
    return name.startswith("compute.")


def _completed(config: dict[str, Any]) -> dict[str, Any]:
    """Keys that are newer than the run, with their defaults."""
    try:
        return parse_config(config).model_dump(mode="json")
    except (ConfigError, RecursionError):
        return config


def _put(values: Any, path: Sequence[str], new: Any) -> None:
    """Sets the value at a path of keys, and of places in lists."""
    for key in path[:-1]:
        values = values[int(key)] if isinstance(values, list) else values.setdefault(key, {})
    values[path[-1]] = new


def _differences(path: tuple[str, ...], before: Any, now: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """(path of keys, value before, value now) of each leaf that differs; of as many tables, each with its place."""
    if _are_tables(before) and _are_tables(now) and len(before) == len(now):
        before, now = ({str(at): one for at, one in enumerate(some)} for some in (before, now))
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted(before.keys() | now.keys()):
            yield from _differences((*path, key), before.get(key), now.get(key))
    elif before != now:
        yield path, before, now


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)
