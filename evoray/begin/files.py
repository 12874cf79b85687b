"""Files that a user asked for by name: they appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from evoray.errors import ConfigError
from evoray.runtime.reading import said, shown


def write_text(path: Path, text: str) -> None:
    """In UTF-8. Raises ConfigError where it cannot be written."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{shown(path)}: cannot be written ({said(error)}). Name another file.") from None
