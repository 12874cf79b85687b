"""The end of a run: who is in the ensemble, and the one look at ``test`` for parent, best child, soup and ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evoray.backends import Job
from evoray.ensembles import Member, PanelUnit, Reliability, ece, logits_name, reliability_sums, top_k
from evoray.errors import RunError
from evoray.fitness import Metrics, merge_shards, metrics_of
from evoray.judging import Judged
from evoray.mutation import Lineage
from evoray.running import OpenRun
from evoray.store import pack_arrays, unpack_arrays
from evoray.strategies import Ask

Named = tuple[tuple[str, Lineage], ...]


@dataclass(frozen=True)
class Panel:
    """The panel's shards in order; see ``PanelUnit.run`` for the arrays."""

    names: tuple[str, ...]
    members: tuple[Member, ...]
    shards: Sequence[dict[str, np.ndarray]]

    def column(self, part: str, name: str) -> np.ndarray:
        """``nll``, ``rank`` or ``confidence`` of one named network, over all images in order."""
        row = self.names.index(name)
        return np.concatenate([shard[part][row] for shard in self.shards])

    def images(self, part: str) -> np.ndarray:
        """Anything that is kept once an image: index, label, classes, probability."""
        return np.concatenate([shard[part] for shard in self.shards])

    def metrics(self, name: str) -> Metrics:
        nll, rank = self.column("nll", name), self.column("rank", name)
        return Metrics(
            n=len(nll),
            top1=float(np.mean(rank < 1)),
            top5=float(np.mean(rank < 5)),
            nll=float(np.sum(nll) / len(nll)),
            ece=ece(self.reliability(name)),
        )

    def reliability(self, name: str) -> Reliability:
        return reliability_sums(self.column("confidence", name), self.column("rank", name) < 1)

    def merged(self, part: str) -> list[Metrics]:
        """``members`` or ``curve``: one Metrics a member."""
        stacked = np.stack([shard[part] for shard in self.shards])
        return [metrics_of(merge_shards(stacked[:, member])) for member in range(stacked.shape[1])]


def last_look(run: OpenRun, judged: Sequence[Judged], soup: Ask | None) -> tuple[Panel, Panel]:
    """(test, select): named networks and ensemble on ``test``; the parent with its calibration on ``select``."""
    children = [one for one in judged if one.ask.kind == "child"]
    chosen = [children[i] for i in top_k([one.fitness for one in children], run.config.ensemble.size)]
    members = tuple(Member(one.ask.name, one.ask.lineage) for one in chosen)
    parent = ("parent", Lineage())
    named = (parent, ("best_child", members[0].lineage), ("soup", soup.lineage if soup else Lineage()))
    on_select = _panel(run, "panel/select", (parent,), (), "select")
    run.close_search()
    return _panel(run, "panel/test", named, members, "test"), on_select


def logits_files(run: OpenRun, panel: Panel) -> list[dict[str, Any]]:
    """For ``ensemble.json``: every shard's file of members' logits on ``test``; empty where none are kept."""
    return [
        {
            "file": logits_name("test", shard),
            "images": len(value["index"]),
            "bytes": int(value["logits_bytes"]),
            "sha256": value["logits_sha256"].tobytes().hex(),
        }
        for shard, value in zip(run.inputs.splits.shards("test"), panel.shards, strict=True)
        if "logits_bytes" in value
    ]


def _has_logits(run: OpenRun, split: str, shard: int, value: dict[str, np.ndarray]) -> bool:
    """Whether the file of logits that belongs to a result is in the run directory, whole."""
    return "logits_bytes" in value and run.directory.size(logits_name(split, shard)) == int(value["logits_bytes"])


def _panel(run: OpenRun, name: str, named: Named, members: tuple[Member, ...], split: str) -> Panel:
    shards = run.inputs.splits.shards(split)
    found = {shard: unpack_arrays(payload) for _, shard, payload in run.known.take(name)}
    keep = run.config.ensemble.keep_logits and split == "test"
    if keep:
        found = {shard: value for shard, value in found.items() if _has_logits(run, split, shard, value)}
    base = Lineage(members[0].lineage.entries[:-1]) if members else Lineage()

    def unit(shard: int, items: tuple[int, ...]) -> PanelUnit:
        to = run.directory.everywhere if keep else None
        return PanelUnit(base, named, members, split, shard, to, run.closed)

    work = {shard: [0] for shard in shards if shard not in found}
    for shard, _, value, failure in run.outcomes(name, Job(work, unit, (base, named, members), split)):
        if failure is not None:
            raise RunError(f"shard {shard} of {split} killed every worker that met it: {failure}")
        if keep and not _has_logits(run, split, shard, value):
            raise RunError(
                f"{run.directory.path(logits_name(split, shard))}: a worker wrote it, and it is not here. With "
                "ensemble.keep_logits the run directory is a URI or a path that every machine shares: set --out."
            )
        found[shard] = value
        run.images += len(value["index"]) * (len(named) + len(members))
        run.journal.add((name, "all", shard), pack_arrays(value))
    names = tuple(key for key, _ in named) + (("ensemble",) if members else ())
    return Panel(names, members, [found[shard] for shard in shards])
