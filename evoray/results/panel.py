"""What a panel's shards say together, and how they are evaluated: see ``evaluation.units.ensemble.PanelUnit``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evoray.ensembles import Diversity, Member, fit_temperature, logits_name
from evoray.errors import RunError
from evoray.evaluation.units.ensemble import BLOCKS, PanelUnit
from evoray.search.session import Session
from evoray.search.stages import ARRAYS, Stage, StageKey, run_stage
from evoray.statistics.calibration import Reliability, reliability_sums
from evoray.tasks.base import Scores, Task, as_dict
from evoray.tasks.sums import merge_shards

ALL = "all"
"""The one item of a panel's stage: its networks together."""


@dataclass(frozen=True)
class Panel:
    """The panel's shards in order; see ``PanelUnit.run`` for the arrays."""

    names: tuple[str, ...]
    members: tuple[Member, ...]
    shards: Sequence[dict[str, np.ndarray]]
    task: Task
    block_width: int = 0

    def column(self, part: str, name: str) -> np.ndarray:
        """One of ``Task.records`` of a named network, over all records in order."""
        row = self.names.index(name)
        return np.concatenate([shard[part][row] for shard in self.shards])

    def images(self, part: str) -> np.ndarray:
        """Anything that is kept once an image: index, label, classes, probability."""
        return np.concatenate([shard[part] for shard in self.shards])

    def records(self, name: str) -> dict[str, np.ndarray]:
        """All that is kept of a named network's records."""
        return {part: self.column(part, name) for part in self.task.kept}

    def figures(self, name: str) -> dict[str, float | int | None]:
        """n and every figure of a named network."""
        return as_dict(len(self.images("index")), self.task.evaluated(self.records(name)))

    def compared(self, name: str) -> Scores:
        return self.task.compared(self.records(name))

    def reliability(self, name: str) -> Reliability:
        return reliability_sums(self.column("confidence", name), self.column("rank", name) < 1)

    def merged(self, part: str) -> list[np.ndarray]:
        """``members`` or ``curve``: the task's columns of all records, float64 [columns] a member."""
        if not self.members:
            return []
        stacked = np.stack([shard[part] for shard in self.shards])
        return [merge_shards(stacked[:, member]) for member in range(stacked.shape[1])]

    def diversity(self) -> Diversity:
        parts = [
            Diversity(len(shard["index"]), shard["disagree"], shard["both_wrong"], shard["entropy"])
            for shard in self.shards
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def temperatures(self) -> tuple[tuple[str, float], ...]:
        """Fitted from the sums of all shards, for the parent and for the ensemble."""
        total = merge_shards(np.stack([shard["temperature"] for shard in self.shards]))
        return tuple((name, fit_temperature(sums)) for name, sums in zip(("parent", "ensemble"), total, strict=True))

    def blocks(self) -> np.ndarray:
        """float64 [names, BLOCKS, width]: the fitness's sums of each group of images, of every network."""
        total = np.zeros(len(self.names) * BLOCKS * self.block_width)
        for shard in self.shards:
            total[shard["block_at"]] += shard["block_sum"]
        return total.reshape(len(self.names), BLOCKS, self.block_width)


def run_panel(session: Session, key: StageKey, like: PanelUnit) -> Panel:
    """The same unit on every shard of its split.

    Raises:
        RunError: a shard killed every worker that met it, or a worker's file of logits is not in the run directory.
    """
    images = session.splits.images_by_shard(like.split)
    keep = like.logits_to is not None
    networks = len(like.named) + len(like.members)

    def unit(shard: int, items: tuple[int, ...]) -> PanelUnit:
        return replace(like, shard=shard)

    stage = Stage(
        key,
        [ALL],
        {shard: networks * count for shard, count in images.items()},
        unit,
        ARRAYS,
        split=like.split,
        shared=(like.base, like.named, like.members, like.buffers),
        required=frozenset([0]),
        accept=(lambda shard, value: _has_logits(session, like.split, shard, value)) if keep else None,
    )
    found: dict[int, dict[str, np.ndarray]] = {}
    for result in run_stage(session, stage):
        assert result.value is not None, "a panel is required"
        if keep and result.fresh and not _has_logits(session, like.split, result.shard, result.value):
            raise RunError(
                f"{session.directory.path(logits_name(like.split, result.shard))}: a worker wrote it, and it is not "
                "here. With ensemble.keep_logits the run directory is a URI or a path that every machine shares: "
                "set out=."
            )
        found[result.shard] = result.value
    return Panel(like.names, like.members, [found[shard] for shard in images], session.inputs.task, like.block_width)


def logits_files(session: Session, panel: Panel) -> list[dict[str, Any]]:
    """For ``ensemble.json``: every shard's file of members' logits on ``test``; empty where none are kept."""
    return [
        {
            "file": logits_name("test", shard),
            "images": len(value["index"]),
            "bytes": int(value["logits_bytes"]),
            "sha256": value["logits_sha256"].tobytes().hex(),
        }
        for shard, value in zip(session.splits.shards("test"), panel.shards, strict=True)
        if "logits_bytes" in value
    ]


def _has_logits(session: Session, split: str, shard: int, value: dict[str, np.ndarray]) -> bool:
    """Whether the file of logits that belongs to a result is in the run directory, whole."""
    return "logits_bytes" in value and session.directory.size(logits_name(split, shard)) == int(value["logits_bytes"])
