"""``manifest.json``: what a shard directory holds, written last."""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evoray.data.schema import Schema
from evoray.data.transform import ImageTransform
from evoray.errors import DataError
from evoray.runtime.reading import JSON_BYTES, checked, parse_json, read_file, shown

NAME = "manifest.json"
REMEDY = "Ingest the images again."
ROWS, SHARDS = 2**26, 10**6
"""Images and shards of a directory, at most."""
SHARD_ROWS, SHARD_BYTES = 2**24, 2**40
"""Of one shard, at most."""
SIDE, CHANNELS, CLASSES, WORD = 2**16, 64, 10**6, 1000
"""Of an image's height and width, its channels, classes, and a class name's characters, at most."""
Word = Annotated[str, Field(max_length=WORD)]
Side = Annotated[int, Field(ge=1, le=SIDE)]


class ShardEntry(BaseModel):
    """One shard file; sha256 is over all its bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Word
    rows: int = Field(ge=1, le=SHARD_ROWS)
    bytes: int = Field(ge=1, le=SHARD_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @field_validator("file")
    @classmethod
    def _in_the_directory(cls, name: str) -> str:
        """A name such as ``shard-00000.arrow``: it leads nowhere but into the manifest's own directory."""
        if not name or name.startswith(".") or not name.isprintable() or set(name) & set('/\\:*?"<>|'):
            raise ValueError("a shard is a file of the manifest's own directory, named without a path")
        return name


class Unreadable(BaseModel):
    """A file that could not be decoded, and why; it is in no shard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(max_length=10_000)
    error: str = Field(max_length=10_000)


class Manifest(BaseModel):
    """Nothing in it depends on when, where or by how many workers the shards were made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    image_shape: tuple[Annotated[int, Field(ge=1, le=CHANNELS)], Side, Side]
    classes: Annotated[tuple[Word, ...], Field(max_length=CLASSES)]
    transform: ImageTransform
    decoder: Word
    """The decoding library and its version."""
    order_seed: int
    per_class: int | None = None
    rows: int = Field(ge=1, le=ROWS)
    shards: Annotated[tuple[ShardEntry, ...], Field(max_length=SHARDS)]
    unreadable: tuple[Unreadable, ...] = ()
    records: Schema | None = None
    """The task that the shards were made for, and their columns; None in manifests that are older than tasks."""

    @field_validator("transform", mode="before")
    @classmethod
    def _before_there_was_a_rule(cls, values: Any) -> Any:
        """A transform that does not say what it does with 16 bits clipped them."""
        return {"depth": "clip", **values} if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        """What would give wrong pictures, or memory for images that are not there."""
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes have one name")
        for one in ("file", "sha256"):
            if len({getattr(shard, one) for shard in self.shards}) < len(self.shards):
                raise ValueError(f"two shards have one {one}")
        width = math.prod(self.image_shape)
        for shard in self.shards:
            if shard.rows * width > shard.bytes:
                raise ValueError(
                    f"{shard.file}: {shard.rows:,} images of {width:,} bytes do not fit into {shard.bytes:,} bytes"
                )
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON with sorted keys and no white space."""
        return digest_of(self._values())

    def to_json(self) -> str:
        """The file's content; its last key is the digest of all the others."""
        return written({**self._values(), "sha256": self.digest})

    def _values(self) -> dict[str, Any]:
        """What is written: an older manifest keeps its digest, so what it does not say is left out."""
        values = self.model_dump(mode="json")
        if self.records is None:
            del values["records"]
        return values

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        return cls.parse(*content_of(directory))

    @classmethod
    def parse(cls, content: bytes, path: str) -> Manifest:
        """A manifest from its JSON; ``path`` is for messages."""
        manifest = checked(cls, values_of(content, path), path, REMEDY, DataError)
        if sum(shard.rows for shard in manifest.shards) != manifest.rows:
            raise DataError(f"{shown(path)}: damaged (rows do not add up). {REMEDY}")
        return manifest


def content_of(directory: Path) -> tuple[bytes, str]:
    """A manifest's bytes, and its path for messages; DataError where there is none."""
    path = directory / NAME
    if os.path.isfile(directory):
        raise DataError(_is_a_file(directory))
    if not os.path.isdir(directory):
        raise DataError(
            f"{shown(directory)}: no such directory. Make shards with evoray data ingest SOURCE {shown(directory)}."
        )
    if not os.path.lexists(path):
        raise DataError(
            f"{shown(directory)}: no {NAME} in it, so it holds no (finished) shards. "
            "Make them with evoray data ingest SOURCE DEST, and name DEST."
        )
    return read_file(path, JSON_BYTES, DataError), str(path)


def digest_of(values: Any) -> str:
    """SHA-256 of the JSON with sorted keys and no white space."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def written(values: Any) -> str:
    """A manifest's bytes, as text."""
    return json.dumps(values, indent=1) + "\n"


def _is_a_file(path: Path) -> str:
    """What is wrong where a file was named for a directory of shards: perhaps one of those in it."""
    if os.path.isfile(path.parent / NAME):
        what = f"the {NAME}" if path.name == NAME else "a file"
        return f"{shown(path)}: {what} of a directory of shards. Name the directory: {shown(path.parent)}"
    return (
        f"{shown(path)}: a file, and no directory of shards. Make shards of images with evoray data ingest SOURCE "
        "DEST, and name DEST."
    )


def values_of(content: bytes, path: str) -> Any:
    """The values of a manifest in which no byte has changed since it was written."""
    try:
        values = parse_json(content, path, DataError)
    except DataError as error:
        raise DataError(f"{error} {REMEDY}") from None
    stated = values.pop("sha256", None) if isinstance(values, dict) else None
    if stated is None:
        raise DataError(f"{shown(path)}: damaged (it has no sha256 of itself.) {REMEDY}")
    if stated != digest_of(values) or content != written({**values, "sha256": stated}).encode():
        raise DataError(f"{shown(path)}: damaged (it is not what was written.) {REMEDY}")
    return values
