"""From a TOML file, or nested dictionaries, to a checked configuration; every wrong key is named in one message."""

import codecs
import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from evoray.config.messages import Explainer, KeyPath
from evoray.config.schema import TABLES, RunConfig
from evoray.config.variants import table_at
from evoray.errors import ConfigError
from evoray.runtime import limits
from evoray.runtime.paths import expanded
from evoray.runtime.reading import deeper, read_file, said, shown

_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')\s*\.\s*){64}""")
"""tomllib's time and memory grow with the square of a key's parts."""
NAMED = 10
"""Wrong keys in one message."""

M = TypeVar("M", bound=BaseModel)


class WrongKeysError(ConfigError):
    """Every wrong key of a file, in one message; ``lines`` has a sentence for each, ``keys`` where each stands."""

    def __init__(self, origin: str, lines: Sequence[str], rest: str = "", keys: Sequence[KeyPath] = ()) -> None:
        super().__init__(f"{origin}: {'; '.join(lines)}{rest}")
        self.keys = keys
        self.lines = [f"{origin}: {line}" for line in lines] + ([f"{origin}{rest}"] if rest else [])


def parse_config(
    values: dict[str, Any], origin: str = "the configuration", config_dir: Path | None = None
) -> RunConfig:
    """A validated configuration; raises ConfigError with one line a wrong key.

    Args:
        config_dir: folder in which a user's own classes (``package.module:Class``) are looked for.
    """
    return validated(RunConfig, values, origin, config_dir)


def validated(model: type[M], values: dict[str, Any], origin: str, config_dir: Path | None = None) -> M:
    """An instance of a pydantic model; ConfigError names the origin and every wrong key."""
    try:
        return model.model_validate(values, context={"config_dir": config_dir})
    except ValidationError as error:
        explainer = Explainer(model, values, lambda section, given: _kinds(model, section, given, config_dir))
        errors = error.errors(include_url=False)
        lines, more = explainer.lines(errors, NAMED)
        rest = f"; and {more:,} more" if more else ""
        raise WrongKeysError(shown(origin), lines, rest, explainer.keys(errors)) from None


def _kinds(model: type[BaseModel], section: str, given: Any, config_dir: Path | None) -> dict[str, type[BaseModel]]:
    """What may stand in a section of a run whose keys depend on a kind or a strategy, the one that was chosen first."""
    if not issubclass(model, RunConfig) or section not in TABLES:
        return {}
    key, where = TABLES[section]
    table = table_at(where)
    values = given if isinstance(given, dict) else {}
    chosen = values.get(key, next(iter(table.names)))
    known = [chosen] if isinstance(chosen, str) and ":" in chosen else []
    others = [name for name in table.names if name != chosen]
    found = {name: table.chosen(values, config_dir) for name in (*known, *table.names) if name == chosen}
    found |= {name: table.find(name, config_dir) for name in others}
    return {f'{section}.{key} = "{name}"': one.Section for name, one in found.items()}


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Reads a run's TOML file and applies ``a.b=value`` overrides (values in TOML's own syntax).

    A user's own classes are looked for in the file's folder.
    """
    return parse_config(read_toml(path, overrides), str(path), Path(expanded(str(path))).resolve().parent)


def read_toml(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """A TOML file's values with ``a.b=value`` overrides; ConfigError when it cannot be read."""
    path = Path(expanded(str(path)))
    if not os.path.lexists(path):
        raise ConfigError(f"{shown(path)}: no such file. Name a configuration in TOML.")
    values = parse_toml(read_file(path, limits.CONFIG_BYTES, ConfigError), shown(path))
    for override in overrides:
        _override(values, override)
    if deeper(values, limits.CONFIG_DEPTH):
        raise ConfigError(f"{shown(path)}: tables in tables, more than {limits.CONFIG_DEPTH} deep.")
    return values


def parse_toml(content: bytes, origin: str) -> dict[str, Any]:
    """TOML in UTF-8, with or without a byte-order mark."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:64]:
        raise ConfigError(f"{shown(origin)}: UTF-16, and TOML is UTF-8. Save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
        if _LONG_KEY.search(text):
            raise ConfigError(f"{shown(origin)}: tables in tables, more than {limits.CONFIG_DEPTH} deep.")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown(origin)}: not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    except RecursionError:
        raise ConfigError(f"{shown(origin)}: not a configuration, nested too deep.") from None
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{shown(origin)}: not TOML ({said(error)}).") from None


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    sections = [part.strip() for part in key.split(".")]
    if not equals or not all(sections) or len(sections) > limits.CONFIG_DEPTH or len(override) > limits.CONFIG_BYTES:
        raise ConfigError(f"--set {shown(override)}: write it as section.key=value, such as mutation.sigma=0.05.")
    value = _value(text)
    for section in sections[:-1]:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {shown(override)}: {shown(section)} is not a section.")
    values[sections[-1]] = value


def _value(text: str) -> Any:
    """What stands behind the equals sign: a value of TOML, else a bare word: ``--set compute.backend=local``."""
    try:
        found = {} if _LONG_KEY.search(text) else tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError, OverflowError):
        return text
    return found["value"] if found.keys() == {"value"} else text
