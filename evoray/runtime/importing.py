"""``package.module:function`` names; the modules of each configuration's folder are that configuration's own.

Python keeps one table of modules a process, under names alone: a second configuration's ``model.py`` would be the
first's, and a file that was changed would be what it was. So before anything is imported for a folder, the modules of
other configurations' folders step aside, and those whose files have changed are forgotten.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from evoray.errors import ConfigError, UsageError
from evoray.runtime.origin import NoExit, told

NEVER_SHADOWED = sys.stdlib_module_names | {
    *("evoray", "torch", "torchvision", "timm", "numpy", "pyarrow", "ray", "pydantic", "PIL", "safetensors"),
    *("typer", "rich", "cloudpickle", "transformers", "tokenizers", "onnx", "onnxruntime"),
}
"""What EvoRay has imported itself before it looks at any folder."""


@dataclass(frozen=True)
class _Loaded:
    """A module that came from a folder, and its file's SHA-256 then. ours: nobody had imported it before."""

    module: ModuleType
    file: str
    sha256: str
    ours: bool


_lock = threading.RLock()
_loaded: dict[str, dict[str, _Loaded]] = {}
_entered: list[str] = []
_added: set[str] = set()
"""Folders that were not on ``sys.path`` before."""
_guests = 0


def import_function(name: str, config_dir: Path | None = None) -> Any:
    """What the name refers to; ConfigError when the module or the attribute is not there."""
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise ConfigError(f'"{name}": write it as package.module:function.')
    with NoExit(config_dir, ConfigError), modules_of(config_dir):
        found: Any = _imported(name, module_name, config_dir)
        for part in attribute.split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                raise ConfigError(f'"{name}": the module {module_name} has no {attribute}.') from None
    return found


def _imported(name: str, module_name: str, config_dir: Path | None) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'"{name}": no module {error.name}. Put it into the configuration\'s folder ({config_dir}) or install it.'
        ) from None
    except Exception as error:
        raise ConfigError(f'"{name}": importing it raised {told(error, config_dir)}') from error


def make_importable(config_dir: Path | str | None) -> None:
    """Lets modules in the configuration's folder be imported in this process, as by a unit that arrives."""
    with modules_of(config_dir):
        pass


@contextmanager
def modules_of(config_dir: Path | str | None) -> Iterator[None]:
    """Inside, names are looked for in this folder first, and no other configuration's modules are seen.

    For one thread at a time; blocks nest. Afterwards the folder stays importable, until another one is asked for, and
    modules that the user's own program had imported under a name of the folder's are back in their place.
    """
    if config_dir is None or not os.path.isdir(config_dir):
        yield
        return
    folder = os.path.abspath(config_dir)
    with _lock:
        hidden = _enter(folder)
        before = dict(sys.modules)
        _entered.append(folder)
        try:
            yield
        finally:
            _remember(folder, before)
            _entered.pop()
            sys.modules.update(hidden)
            if _entered:
                _enter(_entered[-1])


@contextmanager
def leaving_no_modules() -> Iterator[None]:
    """Around a run in its user's program: once the last one ends, what the program imports is its own again.

    A folder that the program itself has on its path stays there, with its modules.
    """
    global _guests
    with _lock:
        _guests += 1
    try:
        yield
    finally:
        with _lock:
            _guests -= 1
            if not (_guests or _entered):
                _leave()


def folder_of(module: str) -> Path | None:
    """The folder from which a run of this process took a module of that name, the last one to do so."""
    with _lock:
        found = [folder for folder, modules in _loaded.items() if module in modules]
    return Path(found[-1]) if found else None


def _leave() -> None:
    for folder in _added:
        for name, one in _loaded.get(folder, {}).items():
            if one.ours and sys.modules.get(name) is one.module:
                del sys.modules[name]
    sys.path[:] = [path for path in sys.path if path not in _added]
    _added.clear()
    importlib.invalidate_caches()


def code_of(config_dir: Path | None, others: Iterable[str] = ()) -> dict[str, str]:
    """What a run's answer depends on of its user's code: module -> SHA-256 of its file.

    Args:
        others: modules that lie elsewhere, such as an installed package's; of those that have a version it stands
            in the digest's place.
    """
    with _lock:
        folder = None if config_dir is None else os.path.abspath(config_dir)
        found = {name: one.sha256 for name, one in _loaded.get(folder or "", {}).items()}
        for name in others:
            module = sys.modules.get(name)
            file = getattr(module, "__file__", None)
            if name in found or file is None:
                continue
            package = sys.modules.get(name.partition(".")[0])
            version = getattr(package, "__version__", None)
            found[name] = str(version) if isinstance(version, str) else _sha256(file)
    return dict(sorted(found.items()))


def check_code(recorded: Mapping[str, str], config_dir: Path | None) -> None:
    """Raises UsageError where a module that is imported here is not what the run began with."""
    here = code_of(config_dir, recorded)
    changed = [name for name, digest in here.items() if recorded.get(name, digest) != digest]
    if changed:
        raise UsageError(
            f"the code of {', '.join(changed)} is not what the run began with: half of its answer would come from "
            "either. Put back what it was and go on with resume=True, or start a new run."
        )


def _enter(folder: str) -> dict[str, ModuleType]:
    """Makes the folder's the modules that are seen; returns what has to be put back afterwards."""
    own = _loaded.setdefault(folder, {})
    hidden, found = _hide_others(folder)
    if any(_sha256(one.file) != one.sha256 for one in own.values()):
        _forget(folder, own)
    found = {name: module for name, module in found.items() if sys.modules.get(name) is module}
    _note(own, found, found)
    for name, one in own.items():
        sys.modules.setdefault(name, one.module)
    gone = {other for other in _loaded if other != folder}
    if folder not in sys.path:
        _added.add(folder)
    sys.path[:] = [folder, *(path for path in sys.path if path != folder and path not in gone)]
    importlib.invalidate_caches()
    return hidden


def _hide_others(folder: str) -> tuple[dict[str, ModuleType], dict[str, ModuleType]]:
    """Takes away modules of other folders, and the program's own that have a name of this folder's; the latter, and
    those that are this folder's and there already."""
    others = {id(one.module) for other, own in _loaded.items() if other != folder for one in own.values() if one.ours}
    tops, namespaces = _top_level(folder)
    hidden, found = {}, {}
    for name, module in _may_be_of_folders(tops | namespaces, others):
        if _is_of(folder, name, module):
            found[name] = module
        elif name.partition(".")[0] in tops or id(module) in others:
            del sys.modules[name]
            if id(module) not in others:
                hidden[name] = module
    return hidden, found


def _remember(folder: str, before: Mapping[str, ModuleType]) -> None:
    """Notes what was imported since, of the folder; ``before``: all modules that were there."""
    new = {name: module for name, module in dict(sys.modules).items() if before.get(name) is not module}
    _note(_loaded[folder], {name: one for name, one in new.items() if _is_of(folder, name, one)}, before)


def _note(own: dict[str, _Loaded], found: Mapping[str, ModuleType], before: Mapping[str, ModuleType]) -> None:
    for name, module in found.items():
        if not (name in own and own[name].module is module):
            file = str(module.__file__)
            own[name] = _Loaded(module, file, _sha256(file), name not in before)


def _forget(folder: str, own: dict[str, _Loaded]) -> None:
    """A file was changed: all that was imported beside it may hold what it was."""
    for name, one in own.items():
        sys.modules.pop(name, None)
        with contextlib.suppress(OSError, NotImplementedError, ValueError):
            # Python tells files by size and second of change: one that was changed twice in a second is the first
            os.unlink(importlib.util.cache_from_source(one.file))
    own.clear()


def _may_be_of_folders(names: set[str], ids: set[int]) -> list[tuple[str, ModuleType]]:
    """Of thousands of modules those of these names or inside packages of these names, and those with these ids."""
    every = dict(sys.modules).items()
    return [(name, module) for name, module in every if name.partition(".")[0] in names or id(module) in ids]


def _is_of(folder: str, name: str, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.startswith(folder):
        return False
    top = name.partition(".")[0]
    stem = os.path.join(folder, top)
    return top not in NEVER_SHADOWED and (file == f"{stem}.py" or file.startswith(stem + os.sep))


def _top_level(folder: str) -> tuple[set[str], set[str]]:
    """Names that the folder has modules or packages for, and those of its other folders."""
    with os.scandir(folder) as entries:
        listed = [
            (entry.name, os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()) for entry in entries
        ]
    folders = {name for name, is_folder in listed if is_folder and not name.endswith(".py")}
    packages = {name for name in folders if os.path.isfile(os.path.join(folder, name, "__init__.py"))}
    files = {name.removesuffix(".py") for name, _ in listed if name.endswith(".py")}
    return (files | packages) - NEVER_SHADOWED, folders - packages - NEVER_SHADOWED


def _sha256(file: str) -> str:
    try:
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
