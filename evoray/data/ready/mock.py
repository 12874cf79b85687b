"""Images of any number and size, generated where they are needed and never stored."""

import hashlib
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evoray.data.schema import Schema
from evoray.data.shard import Shard
from evoray.errors import ConfigError
from evoray.runtime.reading import shown

SHARD_BYTES, SHARDS = 2**32, 10**6


class MockSpec(BaseModel):
    """``mock:images=512,size=224,classes=1000,channels=3,seed=0,shard_size=1024``; every key has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: int = Field(512, ge=1, le=2**26)
    size: int = Field(224, ge=1, le=4096)
    classes: int = Field(1000, ge=2, le=100_000)
    channels: int = Field(3, ge=1, le=64)
    seed: int = Field(0, ge=0, lt=2**32)
    shard_size: int = Field(1024, ge=1, le=2**20)

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        """A shard is made whole, and every shard has an entry."""
        octets = min(self.images, self.shard_size) * self.channels * self.size**2
        if octets > SHARD_BYTES:
            raise ValueError(f"a shard of {octets:,} bytes, more than {SHARD_BYTES:,}: lower shard_size or size")
        if self.images > SHARDS * self.shard_size:
            raise ValueError(f"{-(-self.images // self.shard_size):,} shards, more than {SHARDS:,}: raise shard_size")
        return self


class MockDataset:
    """Uniform random bytes and labels, addressed by (seed, shard): the same on every worker."""

    records: Schema | None = None

    def __init__(self, spec: str) -> None:
        self._spec = _parse(spec)
        self.name = spec
        s = self._spec
        self.classes = tuple(f"class{i}" for i in range(s.classes))
        whole, rest = divmod(s.images, s.shard_size)
        self.shard_rows = (s.shard_size,) * whole + ((rest,) if rest else ())
        self.image_shape = (s.channels, s.size, s.size)
        self.digest = hashlib.sha256(s.model_dump_json().encode()).hexdigest()

    def load(self, index: int) -> Shard:
        rows = self.shard_rows[index]
        random = np.random.Generator(np.random.Philox(key=[self._spec.seed, index]))
        labels = random.integers(len(self.classes), size=rows)
        images = random.integers(256, size=(rows, *self.image_shape), dtype=np.uint8)
        return Shard(index, images, labels, [f"mock/{index}/{row}" for row in range(rows)])


def _parse(spec: str) -> MockSpec:
    body = spec.removeprefix("mock:")
    try:
        pairs = dict(item.split("=", 1) for item in body.split(",") if item)
        return MockSpec.model_validate(pairs)
    except (ValueError, ValidationError) as error:
        reason = "key=value, separated by commas"
        if isinstance(error, ValidationError):
            reason = _explained(error.errors()[0])
        raise ConfigError(
            f'data.path = "{shown(spec)}": {shown(reason)}. '
            "Write mock:images=512,size=224,classes=1000,channels=3,seed=0."
        ) from None


def _explained(first: Any) -> str:
    if first["type"] == "value_error":
        return str(first["msg"].removeprefix("Value error, "))
    key = str(first["loc"][0])
    takes = MockSpec.model_json_schema()["properties"].get(key)
    if takes is None:
        return f"unknown key {key}"
    highest = takes.get("maximum", takes.get("exclusiveMaximum", 1) - 1)
    return f"{key} = {first['input']}: give a whole number from {takes['minimum']:,} to {highest:,}"
