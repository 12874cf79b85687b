"""``manifest.json``: what a shard directory holds, written last."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from evoray.data.schema import Schema
from evoray.data.transform import ImageTransform
from evoray.errors import DataError

NAME = "manifest.json"


class ShardEntry(BaseModel):
    """One shard file; sha256 is over all its bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    rows: int = Field(ge=1)
    bytes: int = Field(ge=1)
    sha256: str


class Unreadable(BaseModel):
    """A file that could not be decoded, and why; it is in no shard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    error: str


class Manifest(BaseModel):
    """Nothing in it depends on when, where or by how many workers the shards were made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    transform: ImageTransform
    decoder: str
    """The decoding library and its version."""
    order_seed: int
    per_class: int | None = None
    rows: int = Field(ge=1)
    shards: tuple[ShardEntry, ...]
    unreadable: tuple[Unreadable, ...] = ()
    records: Schema | None = None
    """The task that the shards were made for, and their columns; None in manifests that are older than tasks."""

    @field_validator("transform", mode="before")
    @classmethod
    def _before_there_was_a_rule(cls, values: Any) -> Any:
        """A transform that does not say what it does with 16 bits clipped them."""
        return {"depth": "clip", **values} if isinstance(values, dict) else values

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON with sorted keys and no white space."""
        return _digest(self._values())

    def to_json(self) -> str:
        """The file's content; its last key is the digest of all the others."""
        return _written({**self._values(), "sha256": self.digest})

    def _values(self) -> dict[str, Any]:
        """What is written: an older manifest keeps its digest, so what it does not say is left out."""
        values = self.model_dump(mode="json")
        if self.records is None:
            del values["records"]
        return values

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        path = directory / NAME
        if not directory.is_dir():
            raise DataError(f"{directory}: no such directory. Make shards with evoray data ingest SOURCE {directory}.")
        if not path.is_file():
            raise DataError(
                f"{directory}: no {NAME} in it, so it holds no (finished) shards. "
                "Make them with evoray data ingest SOURCE DEST, and name DEST."
            )
        return cls.parse(path.read_bytes(), str(path))

    @classmethod
    def parse(cls, content: bytes, path: str) -> Manifest:
        """A manifest from its JSON; ``path`` is for messages."""
        try:
            manifest = cls.model_validate(_checked(content))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DataError(f"{path}: damaged ({where}: {first['msg']}). Ingest the images again.") from None
        except DataError as error:  # its digest, or the transform's own checks
            raise DataError(f"{path}: damaged ({error}) Ingest the images again.") from None
        if sum(shard.rows for shard in manifest.shards) != manifest.rows:
            raise DataError(f"{path}: damaged (rows do not add up). Ingest the images again.")
        return manifest


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _written(values: Any) -> str:
    return json.dumps(values, indent=1) + "\n"


def _checked(written: bytes) -> Any:
    """The values of a manifest in which no byte has changed since it was written."""
    try:
        content = written.decode()
        values = json.loads(content)
    except ValueError as error:
        raise DataError(f"{type(error).__name__}: {error}.") from None
    stated = values.pop("sha256", None) if isinstance(values, dict) else None
    if stated is None:
        raise DataError("it has no sha256 of itself.")
    if stated != _digest(values) or content != _written({**values, "sha256": stated}):
        raise DataError("it is not what was written.")
    return values
