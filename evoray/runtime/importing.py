"""``package.module:function`` names, importable from the configuration's own folder."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from evoray.errors import ConfigError


def make_importable(config_dir: Path | None) -> None:
    """Lets modules in the configuration's folder be imported in this process, as by a unit that arrives."""
    if config_dir is not None and str(config_dir) not in sys.path:
        sys.path.insert(0, str(config_dir))


def import_function(name: str, config_dir: Path | None = None) -> Any:
    """What the name refers to; ConfigError when the module or the attribute is not there."""
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise ConfigError(f'"{name}": write it as package.module:function.')
    make_importable(config_dir)
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'"{name}": no module {error.name}. Put it into the configuration\'s folder ({config_dir}) or install it.'
        ) from None
    except AttributeError:
        raise ConfigError(f'"{name}": the module {module_name} has no {attribute}.') from None
    except Exception as error:
        raise ConfigError(f'"{name}": importing it raised {type(error).__name__}: {error}.') from error
    return found
