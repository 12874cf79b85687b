"""What a configuration names is looked for before anything heavy is imported: a misspelt name is refused at once.

Only what is surely missing is refused here; whatever is there is opened, and understood, by the run.
"""

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evoray.errors import ConfigError, DataError, UsageError
from evoray.runtime.auto import Auto
from evoray.runtime.paths import expanded, names_a_checkpoint
from evoray.runtime.reading import shown

MODULES = ("parent.name", "fitness.name", "task.name", "search.strategy", "mutation.kind", "compute.backend")
"""Keys that may name ``package.module:function``."""
LISTED = 10_000
"""Names in a folder among which the one that was meant is looked for."""
Values = Mapping[str, Any]


def check_files(config: str | Path, overrides: Sequence[str] = ()) -> None:
    """Raises ConfigError or DataError for the first file, folder or module that is not there."""
    from evoray.config.loading import read_toml

    check_file(config, "a configuration in TOML")
    path = Path(expanded(str(config)))
    values, folder = read_toml(path, overrides), path.resolve().parent
    for key in MODULES:
        if key == "parent.name" and _text(values, "parent.source") != "module":
            continue  # a Windows path, or a name with a colon
        _check_module(key, _text(values, key), folder)
    _check_parent(values, folder)
    for key, spec in _data(values):
        _check_data(key, spec, folder)


def check_file(name: str | Path, what: str) -> None:
    """Raises ConfigError where there is no such file; ``what`` is to be named."""
    path = Path(expanded(str(name)))
    if not _is_there(path, Path()):
        raise ConfigError(f"{shown(path)}: no such file.{_meant(path)} Name {what}.")


def check_out(out: str, resume: bool | Auto = False) -> None:
    """Raises UsageError where no run can begin, or go on, in that directory."""
    from evoray.storage.directory import RunDirectory
    from evoray.storage.state import check_place

    check_place(RunDirectory(out), resume)


def check_run(location: str) -> None:
    """Raises UsageError where there is no run."""
    from evoray.storage.directory import RunDirectory
    from evoray.storage.state import is_begun, is_finished

    directory = RunDirectory(location)
    if not is_begun(directory) and not is_finished(directory):
        directory.read("config.json")


def _check_parent(values: Values, folder: Path) -> None:
    source, name, weights = (_text(values, f"parent.{key}") for key in ("source", "name", "weights"))
    if source == "onnx" and name:
        _check_file("parent.name", name, folder, "Name an .onnx file.")
    elif source in ("", "torchvision", "timm", "module") and weights and names_a_checkpoint(weights):
        _check_file("parent.weights", weights, folder, "Name a .safetensors or .pth checkpoint.")
    towards = _at(values, "mutation.towards")
    for file in towards if isinstance(towards, list) else ():
        if isinstance(file, str):
            _check_file("mutation.towards", file, folder, "Name a checkpoint of the parent's architecture.")


def _check_file(key: str, name: str, folder: Path, remedy: str) -> None:
    if "://" in name or "\0" in name or _is_there(path := Path(expanded(name)), folder):
        return
    from evoray.config.allowed import as_toml

    raise ConfigError(
        f"{key} = {shown(as_toml(name))}: no such file.{_meant(path, folder)} {remedy} A relative path begins at the "
        "working directory, or at the configuration's folder."
    )


def _check_data(key: str, spec: str, folder: Path) -> None:
    if spec.startswith("mock:") or "://" in spec or "\0" in spec or _is_there(path := Path(expanded(spec)), folder):
        return
    from evoray.config.allowed import as_toml, did_you_mean
    from evoray.data.ready.packaged import PACKAGED

    if spec in PACKAGED:
        return
    meant = _meant(path, folder) or did_you_mean(spec, PACKAGED)
    raise DataError(
        f"{key} = {shown(as_toml(spec))}: no such directory.{meant} Make shards with evoray data ingest SOURCE "
        f"{shown(spec)}."
    )


def _check_module(key: str, name: str, folder: Path) -> None:
    """By its first part alone: nothing of the user's is run here."""
    first = name.partition(":")[0].partition(".")[0]
    if ":" not in name or not first.isidentifier():
        return
    if any((folder / one).exists() for one in (first, f"{first}.py")):
        return
    try:
        found = importlib.util.find_spec(first) is not None
    except (ImportError, ValueError):
        found = True  # it is there, and says itself what is wrong
    if not found:
        from evoray.config.allowed import as_toml, did_you_mean

        meant = did_you_mean(first, [name.removesuffix(".py") for name in _names(folder) if name.endswith(".py")])
        raise ConfigError(
            f"{key} = {shown(as_toml(name))}: no module {first}.{meant} Put it into the configuration's folder "
            f"({shown(folder)}) or install it."
        )


def _data(values: Values) -> Iterator[tuple[str, str]]:
    """Each key that names data, and what it names."""
    for key in ("data.path", "data.test_path", "fitness.reference"):
        if spec := _text(values, key):
            yield key, spec
    guards = values.get("guard")
    for number, guard in enumerate(guards if isinstance(guards, list) else [guards], 1):
        for key in ("path", "data.path", "data.test_path"):
            if isinstance(guard, dict) and (spec := _text(guard, key)):
                yield f"guard {number}, {key}", spec


def _is_there(path: Path, folder: Path) -> bool:
    try:
        return os.path.lexists(path) or os.path.lexists(folder / path)
    except (OSError, ValueError):
        return True  # whoever opens it says what is wrong with it


def _meant(path: Path, folder: Path = Path()) -> str:
    """What is in that place under a name that is close, if anything is: as the path would be written."""
    from evoray.config.allowed import nearest

    for parent in dict.fromkeys((path.parent, folder / path.parent)):
        if name := nearest(path.name, _names(parent)):
            return f' Did you mean "{shown(path.parent / name)}"?'
    return ""


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)[:LISTED]
    except (OSError, ValueError):
        return []


def _text(values: Values, key: str) -> str:
    found = _at(values, key)
    return found if isinstance(found, str) else ""


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def check_in_wheel(room: str, command: str) -> None:
    """Raises UsageError where a room is not there: the wheel leaves out what papers and measurements are made with."""
    if importlib.util.find_spec(room) is None:
        raise UsageError(
            f"{command} is for a clone of EvoRay, or its source distribution: the wheel leaves {room} out."
        )
