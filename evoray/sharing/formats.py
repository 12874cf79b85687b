"""What a network of a run may be written as, which parents that fits, and how a file's name says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evoray.config.allowed import did_you_mean
from evoray.errors import UsageError
from evoray.runtime.reading import shown

HUB = "hub-folder"
LIBRARIES = ("torchvision", "timm", "module")
PYTORCH = (*LIBRARIES, "transformers")


@dataclass(frozen=True)
class Format:
    """suffixes: of its files, the usual one first; none of a folder. sources: parents (``parent.source``) that fit."""

    suffixes: tuple[str, ...]
    sources: tuple[str, ...]


FORMATS: Mapping[str, Format] = {
    "safetensors": Format((".safetensors",), (*PYTORCH, "onnx")),
    "torch": Format((".pt", ".pth", ".bin"), PYTORCH),
    "onnx": Format((".onnx",), (*PYTORCH, "onnx")),
    "pt2": Format((".pt2",), PYTORCH),
    HUB: Format((), (*PYTORCH, "onnx")),
}


def chosen(said: str | None, output: Path, source: str) -> str:
    """The format that is asked for, else the one that the output's name says: a name without a suffix is a folder.

    Args:
        source: the parent's; a folder of transformers may have any name.

    Raises:
        UsageError: no such format, a name of another one, or a parent that it does not fit; says what fits.
    """
    if said is not None and said not in FORMATS:
        raise UsageError(
            f"--format {shown(said)}: no such format.{did_you_mean(said, FORMATS)} Give one of {', '.join(FORMATS)}."
        )
    named = of_name(output)
    if said is None:
        found = named or (HUB if not output.suffix or source == "transformers" else None)
        if found is None:
            raise UsageError(
                f"{shown(output)}: name a .safetensors file, or another by whose suffix its format is known: "
                f"{_suffixes()}; or give --format."
            )
    else:
        found = said
        if named != (None if found == HUB else found):
            raise UsageError(f"{shown(output)}: {_wrong_name(found)}")
    if source not in FORMATS[found].sources:
        fits = [name for name, one in FORMATS.items() if source in one.sources]
        raise UsageError(f'--format {found}: not of a parent with source = "{source}". These fit: {", ".join(fits)}.')
    return found


def of_name(output: Path) -> str | None:
    """The format whose suffix a name has, if any."""
    suffix = output.suffix.lower()
    return next((name for name, one in FORMATS.items() if suffix in one.suffixes), None)


def _suffixes() -> str:
    return ", ".join(f"{one.suffixes[0]} ({name})" for name, one in FORMATS.items() if one.suffixes)


def _wrong_name(name: str) -> str:
    if name == HUB:
        return f"--format {HUB} writes a folder. Name one without a file's suffix."
    return f"--format {name} writes a file that ends in {' or '.join(FORMATS[name].suffixes)}. Name it so."
