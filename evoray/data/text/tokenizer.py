"""A folder's tokenizer, and the digest of what decides which tokens it makes of a text."""

import hashlib
import json
from pathlib import Path
from typing import Any

from evoray.errors import ConfigError, ModelError
from evoray.runtime.reading import parse_json, read_file, reason_of, shown

FAST, SETTINGS = "tokenizer.json", "tokenizer_config.json"
VOCABULARIES = (
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model"),
    *("added_tokens.json", "special_tokens_map.json", "bpe.codes", "source.spm", "target.spm"),
)
"""Files that are a tokenizer where there is no FAST."""
BYTES = 2**28
"""Of one of its files, at most."""
DECISIVE = ("add_bos_token", "add_eos_token", "add_prefix_space", "do_lower_case", "bos_token", "eos_token")
"""Settings that change tokens beside FAST; others (a chat template, a length, paths) do not."""


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of transformers. Raises ModelError where there is none, or it needs code of its own."""
    if not any((folder / name).exists() for name in (FAST, *VOCABULARIES)):
        raise ModelError(f"{shown(folder)}: no tokenizer in it. Save the parent's there too, with its save_pretrained.")
    try:
        from transformers import AutoTokenizer
        from transformers.utils import logging as own
    except ImportError:
        raise ConfigError(
            'text needs a tokenizer, and transformers is not installed. Run: pip install "evoray[transformers]"'
        ) from None
    before = own.get_verbosity()
    own.set_verbosity_error()
    try:
        found = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        found("", verbose=False)  # settings of another kind show when it is used
        return found
    except Exception as error:  # of any tokenizer's own code
        raise ModelError(f"{shown(folder)}: its tokenizer cannot be loaded ({reason_of(error)}).") from None
    finally:
        own.set_verbosity(before)


def tokenizer_digest(folder: Path) -> str:
    """SHA-256 of a folder's tokenizer: the same wherever it lies, however its files are laid out.

    Raises:
        ModelError: there is none, or a file of it is damaged.
    """
    settings = _json(folder / SETTINGS) if (folder / SETTINGS).exists() else {}
    parts: dict[str, Any] = {name: _content(settings[name]) for name in DECISIVE if settings.get(name) is not None}
    if (folder / FAST).exists():
        whole = _json(folder / FAST)
        parts[FAST] = {name: one for name, one in whole.items() if name not in ("padding", "truncation")}
    else:
        files = [name for name in VOCABULARIES if (folder / name).exists()]
        if not files:
            raise ModelError(
                f"{shown(folder)}: no tokenizer in it. Save the parent's there too, with its save_pretrained."
            )
        for name in files:
            parts[name] = hashlib.sha256(read_file(folder / name, BYTES, ModelError)).hexdigest()
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def template_digest(tokenizer: Any) -> str:
    """SHA-256 of its chat template; empty where it has none."""
    found = getattr(tokenizer, "chat_template", None)
    return "" if not found else hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _content(value: Any) -> Any:
    """A special token's text, which is written as such or as a dictionary."""
    return value.get("content") if isinstance(value, dict) else value


def _json(path: Path) -> dict[str, Any]:
    found = parse_json(read_file(path, BYTES, ModelError), str(path), ModelError)
    if not isinstance(found, dict):
        raise ModelError(f"{shown(path)}: no object of JSON. Save the tokenizer again with save_pretrained.")
    return found
