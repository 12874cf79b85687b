"""``manifest.json`` of records that are not labelled images (format 2)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evoray.data.manifest import CLASSES, REMEDY, ROWS, SHARDS, ShardEntry, Unreadable, Word, digest_of, written
from evoray.data.records import Column, schema_of
from evoray.data.schema import Schema
from evoray.errors import DataError
from evoray.runtime.reading import checked

FORMAT = 2


class RecordManifest(BaseModel):
    """Nothing in it depends on when, where or by how many workers the shards were made.

    read: how the columns were made of the user's: which of the files' they are, the tokenizer and its digest, an image
        transform. classes: names of the target's values, where they have some.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[2] = 2
    task: Word
    columns: Annotated[dict[Word, Column], Field(max_length=100)]
    target: Word
    classes: Annotated[tuple[Word, ...], Field(max_length=CLASSES)] = ()
    read: dict[Word, Any] = {}
    order_seed: int
    rows: int = Field(ge=1, le=ROWS)
    shards: Annotated[tuple[ShardEntry, ...], Field(max_length=SHARDS)]
    unreadable: tuple[Unreadable, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for one in ("file", "sha256"):
            if len({getattr(shard, one) for shard in self.shards}) < len(self.shards):
                raise ValueError(f"two shards have one {one}")
        if self.target not in self.columns:
            raise ValueError(f"its target {self.target} is no column")
        image = self.columns.get("image")
        if image is not None and (image.type != "uint8" or len(image.shape or ()) != 3):
            raise ValueError("its column image holds no uint8 [channels, height, width]")
        if "source" in self.columns:
            raise ValueError("source is the records' names, and no column of theirs")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes have one name")
        if sum(shard.rows for shard in self.shards) != self.rows:
            raise ValueError("rows do not add up")
        return self

    @property
    def records(self) -> Schema:
        return schema_of(self.task, self.columns, self.target)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """[C, H, W] of ``image``; zeros where records have none."""
        image = self.columns.get("image")
        channels, height, width = (image.shape if image is not None else None) or (0, 0, 0)
        return channels, height, width

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON with sorted keys and no white space."""
        return digest_of(self.model_dump(mode="json"))

    def to_json(self) -> str:
        """The file's content; its last key is the digest of all the others."""
        return written({**self.model_dump(mode="json"), "sha256": self.digest})

    @classmethod
    def of(cls, values: Any, path: str) -> RecordManifest:
        """From values whose own digest was checked; ``path`` is for messages."""
        return checked(cls, values, path, REMEDY, DataError)
