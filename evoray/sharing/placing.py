"""A file or a folder that appears whole under its name, or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evoray.errors import UsageError
from evoray.runtime.paths import is_uri
from evoray.runtime.reading import said, shown

ELSE = {"journal", "space.json", "summary.json", "population.parquet", ".git", "manifest.json"}
"""What a run, a repository, or shards hold, and no folder of a network."""


def check_place(output: Path, folder: bool, overwrite: bool) -> None:
    """Raises UsageError where nothing may be written, or something else would be replaced."""
    what = "folder" if folder else "file"
    if is_uri(output):
        raise UsageError(f"{shown(output)}: name a {what} of this machine, and copy it to its place afterwards.")
    if "\0" in str(output) or not output.name:
        raise UsageError(f"{shown(output)}: name a {what}.")
    if os.path.lexists(output) and not overwrite:
        raise UsageError(f"{shown(output)}: exists already. Name another {what}, or add --overwrite.")
    if os.path.lexists(output) and not folder and not output.is_file():
        raise UsageError(f"{shown(output)}: not a regular file, so it is not replaced. Name another file.")
    if os.path.lexists(output) and folder and not is_network(output):
        raise UsageError(f"{shown(output)}: no folder of a network alone, so it is not replaced. Name another one.")
    if not output.parent.is_dir():
        raise UsageError(f"{shown(output)}: no such directory {shown(output.parent)}.")


def is_network(folder: Path) -> bool:
    """Whether it holds a network and nothing else that anybody would miss: no run, no repository, no folder above."""
    names = set(os.listdir(folder)) if folder.is_dir() else set()
    weights = any(name.endswith((".safetensors", ".onnx")) for name in names)
    here = Path.cwd().resolve()
    above = folder.resolve() == here or folder.resolve() in here.parents
    return "config.json" in names and weights and not above and not names & ELSE


@contextmanager
def placed(output: Path, folder: bool) -> Iterator[Path]:
    """Where to write: it takes the output's name, and the place of what is there, once the block ends well.

    Raises:
        UsageError: the file system refuses.
    """
    part = output.with_name(f".{output.name}.{uuid.uuid4().hex[:8]}.part{'' if folder else output.suffix}")
    try:
        if folder:
            part.mkdir()
        yield part
        if folder and output.is_dir() and not output.is_symlink():
            before = part.with_suffix(".before")
            output.rename(before)
            part.rename(output)
            shutil.rmtree(before, ignore_errors=True)
        else:
            os.replace(part, output)
    except OSError as error:
        raise UsageError(f"{shown(output)}: cannot be written ({said(error)}).") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True) if part.is_file() else None
