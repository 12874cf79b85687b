"""Before a run: do its prompts and its parent belong together?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evoray.data.text.folder import CONFIG, context_of, read_config
from evoray.data.text.tokenizer import load_tokenizer, template_digest
from evoray.errors import DataError
from evoray.runtime.reading import shown
from evoray.tasks.generation.fitting import LONGEST, TEMPLATE


def check_prompts(parent: Any, splits: Any, new: int) -> None:
    """Raises DataError where a prompt is too long for the parent, or was written by another chat template."""
    folder = None if parent.tokenizer is None else Path(parent.tokenizer)
    context = context_of(read_config(folder)) if folder is not None and (folder / CONFIG).exists() else None
    for split, one in splits.described.items():
        key = "data.path" if split == "select" else "data.test_path, or data.path"
        if context is not None and LONGEST in one.made and one.made[LONGEST][0] + new > context:
            length, record = one.made[LONGEST]
            raise DataError(
                f"{key}: {shown(record)} has {length} tokens, and with task.max_new_tokens = {new} more the parent's "
                f"{context} are too few. Lower it, or leave long prompts out."
            )
        template = one.made.get(TEMPLATE)
        if folder is not None and template is not None and template != template_digest(load_tokenizer(folder)):
            raise DataError(
                f"{key}: its prompts were written by another chat template than the parent's. Ingest them again with "
                "--for and this configuration."
            )
