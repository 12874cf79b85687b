"""Weights & Biases, online or as files for ``wandb sync``. A resumed run goes on in the run of the same id.

W&B's offline files are records in its own protocol buffers, in a log of LevelDB's form. W&B keeps records in memory
until 32 KiB are full, so a process that is killed leaves fewer than it was told. Its Python reader went with version
0.30; what reads the files now is inside its program, and sends them off.
"""

from __future__ import annotations

import io
import json
import logging
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb
from google.protobuf.message import DecodeError
from wandb.proto.wandb_internal_pb2 import Record

from evoray.tracking.base import Beginning, Begun, Results, Value

LOG = logging.getLogger("evoray")
FOLDER = "wandb"
"""W&B's own, in the folder that it is given."""


class WandB:
    """Config, history by step, summary, images, and an artifact of the networks."""

    def begin(self, beginning: Beginning) -> Begun:
        settings, known = beginning.settings, beginning.known
        mode: Any = settings.get("mode") or os.environ.get("WANDB_MODE") or "online"
        folder = os.environ.get("WANDB_DIR") or str(settings["directory"])
        Path(folder).mkdir(parents=True, exist_ok=True)
        identity = known.id or beginning.run
        before = sorted(Path(folder, FOLDER).glob(f"*-{identity}/run-{identity}.wandb"))
        written = _written(before) if mode == "offline" else 0
        self._run = wandb.init(
            project=settings.get("project") or os.environ.get("WANDB_PROJECT") or "evoray",
            name=str(settings["name"]),
            id=identity,
            resume="allow",
            mode=mode,
            dir=folder,
            config=dict(beginning.config),
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, save_code=False),
        )
        # a server says itself what the next step is; offline a file is begun each time, and the earlier ones say it
        known_there = max(0, self._run.step - 1) if self._run.resumed else 0
        delivered = known_there if mode == "online" else written
        return Begun(identity, self._run.url or os.path.dirname(self._run.dir), delivered)

    def round(self, step: int, figures: Mapping[str, Value]) -> None:
        self._run.log(dict(figures), step=step, commit=True)

    def end(self, results: Results) -> None:
        self._run.summary.update({**results.figures, "verdict": results.verdict or f"stopped: {results.error}"})
        if results.pictures:
            images = {f"report/{one.name}": _image(one.png, one.title) for one in results.pictures}
            self._run.log(images, step=results.step + 1, commit=True)
        if results.files:
            networks = wandb.Artifact(f"networks-{self._run.id}", type="networks")
            for name, path in results.files.items():
                networks.add_file(path, name)
            self._run.log_artifact(networks)
        self._run.finish(exit_code=0 if results.error is None else 1)
        wandb.teardown(exit_code=0)


def _written(files: Sequence[Path]) -> int:
    """The last round in files of before; all are told again where that cannot be known, and none is lost."""
    try:
        return last_step(files)
    except (ValueError, KeyError, DecodeError) as error:
        LOG.warning("W&B's files of before cannot be read (%s); all is told again", error)
        return 0


def _image(png: bytes, caption: str) -> Any:
    from PIL import Image  # comes with torchvision

    return wandb.Image(Image.open(io.BytesIO(png)), caption=caption)


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
