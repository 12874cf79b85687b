"""Reads W&B's offline files: records in its own protocol buffers, in a log of LevelDB's form.

W&B keeps records in memory until 32 KiB are full, so a process that is killed leaves fewer than it was told. Its Python
reader went with version 0.30; what reads the files now is inside its program, and sends them off.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

MAGIC, HEADER, BLOCK = b":W&B", 7, 32768
FULL, FIRST, _MIDDLE, LAST = 1, 2, 3, 4


def last_step(paths: Iterable[Path]) -> int:
    """The last step in the history of some files, 0 where there is none; ValueError where one is no such file."""
    found = [record for path in paths for record in records(path)]
    steps = [values(one.history.item)["_step"] for one in found if one.WhichOneof("record_type") == "history"]
    return max(steps, default=0)


def values(items: Any) -> dict[str, Any]:
    """Of a history, configuration or summary: key -> value."""
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def records(path: Path) -> Iterator[Any]:
    """Every record that was written whole, in order."""
    content = path.read_bytes()
    if content[:4] != MAGIC:
        raise ValueError(f"{path}: no file of W&B's")
    at, whole = HEADER, b""
    while at + HEADER <= len(content):
        left = BLOCK - at % BLOCK
        if left < HEADER:
            at += left
            continue
        checksum, length, kind = struct.unpack_from("<IHB", content, at)
        part = content[at + HEADER : at + HEADER + length]
        if len(part) < length or checksum != zlib.crc32(part, zlib.crc32(bytes([kind]))):
            return  # was not written whole
        at += HEADER + length
        whole = part if kind in (FULL, FIRST) else whole + part
        if kind in (FULL, LAST):
            yield Record.FromString(whole)
