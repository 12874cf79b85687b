"""A task's own keys: the parameters that its class is made with, by name.

``def __init__(self, normalise: Literal["tokens", "bytes"] = "tokens")`` makes ``task.normalise`` a key that takes one
of two words. Types are those of pydantic (``Annotated[int, Field(ge=1)]``); a parameter without a type takes any value
of TOML, one without a default has to be given. ``config_dir`` is no key: a task that asks for it is told the
configuration's folder. This holds for tasks of EvoRay and for a user's own in the same way.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import create_model

from evoray.config.loading import validated
from evoray.config.task import TaskConfig
from evoray.config.variants import Variant, Variants
from evoray.errors import ConfigError
from evoray.runtime.importing import import_function
from evoray.runtime.origin import told
from evoray.runtime.reading import shown

FOLDER = "config_dir"
NAMED = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Keyed(Variant):
    """A task as the configuration's tables know it: by its section."""


class TaskTable(Variants[Keyed]):
    """Tasks by name, or a user's own by ``package.module:MyTask``."""

    def find(self, name: Any, config_dir: Path | None = None) -> type[Keyed]:
        if not isinstance(name, str) or (":" not in name and name not in self.names):
            super().find(name, config_dir)  # raises: there is none of this name
        own = name in self.names
        found = import_function(self.names[name] if own else name, None if own else config_dir)
        return _keyed(section_of(found, name))

    def chosen(self, values: Mapping[str, Any], config_dir: Path | None = None) -> type[Keyed]:
        """A user's task without keys is not looked for: whoever makes it does."""
        bare = ":" in str(values.get("name")) and len(values) == 1
        return _keyed(TaskConfig) if bare else super().chosen(values, config_dir)


def _keyed(section: type[TaskConfig]) -> type[Keyed]:
    return type("Keyed", (Keyed,), {"Section": section})


@functools.lru_cache(maxsize=256)
def section_of(task: Any, name: str) -> type[TaskConfig]:
    """The section of a task: a class, or what else ``package.module:MyTask`` names, which has no keys.

    Raises:
        ConfigError: a parameter's type is none.
    """
    fields: dict[str, Any] = {}
    for key, parameter in _parameters(task).items():
        if parameter.kind in NAMED and key != FOLDER:
            kind = _types(task, name).get(key, Any)
            fields[key] = (kind, ... if parameter.default is parameter.empty else parameter.default)
    if not fields:
        return TaskConfig
    try:
        return create_model("TaskConfig", __base__=TaskConfig, name=(str, name), **fields)
    except Exception as error:  # pydantic's, of any kind of type
        raise ConfigError(f'task.name = "{shown(name)}": its keys cannot be read ({shown(str(error), 200)}).') from None


def made(task: Callable[..., Any], name: str, settings: Mapping[str, Any], config_dir: Path | None) -> Any:
    """A task of its class and of the keys that were given.

    Raises:
        ConfigError: keys that it has not, or of other types; or what its class says.
    """
    section = validated(section_of(task, name), {"name": name, **settings}, f'task.name = "{name}"', config_dir)
    more = {FOLDER: config_dir} if FOLDER in _parameters(task) else {}
    try:
        return task(**section.settings, **more)
    except ConfigError:
        raise
    except Exception as error:  # of a user's class
        raise ConfigError(f'task.name = "{name}": making it raised {told(error, config_dir)}') from error


def _parameters(task: Any) -> dict[str, inspect.Parameter]:
    """Of a class's ``__init__``, but for ``self``."""
    if not inspect.isclass(task) or task.__init__ is object.__init__:
        return {}
    return dict(list(inspect.signature(task.__init__).parameters.items())[1:])


def _types(task: Any, name: str) -> dict[str, Any]:
    try:
        return get_type_hints(task.__init__, include_extras=True)
    except Exception as error:
        raise ConfigError(
            f'task.name = "{shown(name)}": the types of its keys cannot be read ({shown(str(error), 200)}). Import '
            "them in its module."
        ) from None
