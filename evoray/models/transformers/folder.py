"""The folder of a parent of transformers: found, and read as far as nobody's code is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evoray.config import ParentConfig
from evoray.errors import ConfigError, ModelError
from evoray.runtime.paths import expanded
from evoray.runtime.reading import parse_json, read_file, said, shown

CONFIG = "config.json"
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
    from huggingface_hub import snapshot_download

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
        f"{named}: could not be downloaded ({said(reason).splitlines()[0]}). Where there is no network, name a folder "
        "that holds it."
    )


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json``. Raises ModelError where there is none, or it is none."""
    if not (folder / CONFIG).exists():
        raise ModelError(
            f"{shown(folder)}: no {CONFIG} in it. Name a folder as save_pretrained writes it, of a network and not of "
            "an adapter."
        )
    found = parse_json(read_file(folder / CONFIG, error=ModelError), str(folder / CONFIG), ModelError)
    if not isinstance(found, dict):
        raise ModelError(f"{shown(folder / CONFIG)}: no object of JSON. Save the network again with save_pretrained.")
    return found


def context_of(values: Mapping[str, Any]) -> int | None:
    """Tokens that a network of this ``config.json`` takes at most; None where it says none."""
    named = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length")
    text = values.get("text_config") if isinstance(values.get("text_config"), dict) else {}
    for name in named:
        found = values.get(name, (text or {}).get(name))
        if isinstance(found, int) and found > 0:
            # these count positions from the padding token's number on, so that the first ones are never used
            offset = int(values.get("pad_token_id") or 0) + 1 if "roberta" in str(values.get("model_type")) else 0
            offset = offset or (2 if values.get("model_type") in ("camembert", "esm", "longformer", "mpnet") else 0)
            return found - offset if found > offset else found
    return None
