"""Files that a user asked for by name: they appear whole or not at all."""

from pathlib import Path

from evoray.errors import ConfigError
from evoray.runtime.paths import replace_with
from evoray.runtime.reading import said, shown


def write_text(path: Path, text: str) -> None:
    """In UTF-8. Raises ConfigError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_with(path, text.encode())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{shown(path)}: cannot be written ({said(error)}). Name another file.") from None
