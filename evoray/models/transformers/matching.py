"""Shards of text and the network that reads them: both of one tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from evoray.config import ComputeConfig
from evoray.data.text.tokenizer import tokenizer_digest
from evoray.errors import ConfigError, DataError
from evoray.models.base import Parent
from evoray.runtime.reading import shown

TOKENIZER = "tokenizer"
"""Of a manifest's ``read``: the digest of what made tokens of its texts."""


class Described(Protocol):
    @property
    def described(self) -> Mapping[str, Any]: ...


def check_text(compute: ComputeConfig, parent: Parent, splits: Described) -> None:
    """Of data that is text; of other data nothing is asked.

    Raises:
        DataError: shards were made by another tokenizer than the parent's. ConfigError: batches of one shape.
    """
    made = {name: one.made[TOKENIZER] for name, one in splits.described.items() if TOKENIZER in one.made}
    if not made:
        return
    for key in ("compile", "cuda_graphs"):
        if getattr(compute, key):
            raise ConfigError(
                f"compute.{key} = true: what it makes knows one shape of batches, and a batch of texts is as long as "
                f"its longest. Set compute.{key} = false."
            )
    if parent.tokenizer is None:
        raise DataError(
            f"the data is text, in tokens, and the parent {shown(parent.name)} names no tokenizer. Return "
            "evoray.Parent(model, tokenizer=FOLDER) from its function, and ingest the data again with --for."
        )
    own = tokenizer_digest(Path(parent.tokenizer))
    for split, digest in made.items():
        if digest != own:
            key = "data.path" if split == "select" else "data.test_path, or data.path"
            raise DataError(
                f"{key}: its texts are in tokens of another tokenizer (sha256 {shown(digest)[:12]}…) than the parent's "
                f"({own[:12]}…). Ingest them again with --for and this configuration."
            )
