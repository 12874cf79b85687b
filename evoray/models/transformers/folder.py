"""The folder of a parent of transformers: found, or fetched."""

from __future__ import annotations

import re
from pathlib import Path

from evoray.config import ParentConfig
from evoray.data.text.folder import CONFIG
from evoray.errors import ConfigError, ModelError
from evoray.runtime.paths import expanded
from evoray.runtime.reading import said, shown

PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
"""Files of a repository that are fetched: no pickles, and no code."""
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")


def find_folder(config: ParentConfig, config_dir: Path | None) -> Path:
    """The folder that ``parent.name`` is: relative to the working directory or to the configuration's; or a name on the
    Hub, out of its cache, fetched where that is asked for.

    Raises:
        ConfigError: there is none. ModelError: it cannot be fetched.
    """
    path = Path(expanded(config.name))
    for base in (Path(), config_dir or Path()):
        try:
            if (base / path).is_dir():
                return base / path
        except (OSError, ValueError):
            break
    named = f'parent.name = "{shown(config.name)}"'
    if not _HUB.fullmatch(config.name) or config.name.startswith("."):
        raise ConfigError(
            f"{named}: no such folder. Name one as save_pretrained writes it: {CONFIG}, *.safetensors and the "
            "tokenizer's files."
        )
    return _of_hub(config.name, config.download, named)


def _of_hub(name: str, download: bool, named: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:  # it comes with transformers
        raise ConfigError(
            f'{named}: no such folder, and transformers is not installed. Run: pip install "evoray[transformers]"'
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=PATTERNS, local_files_only=True))
    except Exception as error:  # of many libraries
        if not download:
            raise ConfigError(
                f"{named}: no such folder, nor is it in the Hub's cache, and nothing is downloaded unasked. Name the "
                "folder, or set parent.download = true where it is a name on the Hub."
            ) from None
        reason: Exception = error
    try:
        return Path(snapshot_download(name, allow_patterns=PATTERNS))
    except Exception as error:
        reason = error
    raise ModelError(
        f"{named}: no such folder here, and with parent.download = true it could not be fetched from the Hub of "
        f"Hugging Face either ({said(reason)}). Look at the name and the network. Where there is none, fetch it on "
        "another machine (hf download NAME --local-dir FOLDER), and name the folder."
    )
