"""The folder of a network of transformers, read as far as nobody's code is needed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evoray.errors import ModelError
from evoray.runtime.reading import parse_json, read_file, shown

CONFIG = "config.json"


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
