"""Weights & Biases, online or as files for ``wandb sync``. A resumed run goes on in the run of the same id."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb
from google.protobuf.message import DecodeError

from evoray.tracking.base import Beginning, Begun, Results, Value
from evoray.tracking.wandb_files import last_step

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
