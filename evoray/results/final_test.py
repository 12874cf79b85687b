"""The one look at ``test``, after the last choice: parent, best child, soup, ensemble, and a sample of children."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evoray.backends import Job
from evoray.evaluation.units.children import Candidate, FinalUnit
from evoray.evaluation.units.ensemble import PanelUnit
from evoray.fitness import COLUMNS, merge_shards
from evoray.models import Buffers
from evoray.mutation import Lineage
from evoray.results.batchnorm import recalibrate
from evoray.results.members import Chosen, shared_base
from evoray.results.panel import Panel, run_panel
from evoray.search.population import Judged
from evoray.search.session import OpenRun
from evoray.storage.directory import RECALIBRATED
from evoray.strategies import Ask

SAMPLE_STREAM = 11
"""First word of the spawn key under the run's seed that draws the children looked at on ``test``."""
SAMPLE_SHARE, SAMPLE_LEAST, SAMPLE_MOST = 0.1, 8, 64


@dataclass(frozen=True)
class Look:
    """Everything measured at the end.

    sample: fitness on ``select`` and merged sums on ``test`` of children drawn by chance, by name.
    recalibrated: the soup's own BatchNorm statistics, where they were asked for and there are any.
    """

    test: Panel
    select: Panel
    chosen: Chosen
    temperatures: tuple[tuple[str, float], ...]
    sample: dict[str, np.ndarray]
    recalibrated: Buffers


def last_look(run: OpenRun, judged: Sequence[Judged], soup: Ask | None, best: Judged, chosen: Chosen) -> Look:
    """Fits what is left to fit on ``select``, closes the search, and looks at ``test``."""
    parent = ("parent", Lineage())
    named: tuple[tuple[str, Lineage], ...] = (
        parent,
        ("best_child", best.ask.lineage),
        ("soup", soup.lineage if soup else Lineage()),
    )
    calibrate = run.config.ensemble.temperature
    members = chosen.members
    base = shared_base([member.lineage for member in members])
    method = run.config.ensemble.method
    on_select = run_panel(
        run,
        "panel/select",
        PanelUnit(
            base, (parent,), members if calibrate else (), "select", 0, method=method, fit_temperatures=calibrate
        ),
    )
    temperatures = on_select.temperatures() if calibrate else ()
    own = recalibrate(run, soup.lineage) if soup and run.config.soup.recalibrate else {}
    if soup and own:
        named = (*named, (RECALIBRATED, soup.lineage))
    closed = run.close_search()
    width = 0 if run.fitness.name in ("nll", "top1", "top5") else len(COLUMNS) + run.fitness.width
    to = run.directory.everywhere if run.config.ensemble.keep_logits else None
    unit = PanelUnit(base, named, members, "test", 0, closed, method, temperatures, block_width=width, logits_to=to)
    if own:
        unit = replace(unit, buffers=((RECALIBRATED, own),))
    on_test = run_panel(run, "panel/test", unit)
    return Look(on_test, on_select, chosen, temperatures, _sample(run, judged), own)


def _sample(run: OpenRun, judged: Sequence[Judged]) -> dict[str, np.ndarray]:
    """Merged sums on ``test`` of some children, drawn by the run's seed from all that did not fail."""
    able = [one for one in judged if one.ask.kind == "child" and math.isfinite(one.fitness)]
    count = min(_sample_size(run, len(judged)), len(able))
    if not count:
        return {}
    key = np.random.SeedSequence(run.config.seed, spawn_key=(SAMPLE_STREAM,))
    drawn = np.sort(np.random.Generator(np.random.Philox(key)).choice(len(able), count, replace=False))
    asks = [able[int(index)].ask for index in drawn]
    base = shared_base([ask.lineage for ask in asks])
    shards = run.inputs.splits.shards("test")
    position = {ask.name: number for number, ask in enumerate(asks)}
    rows = {(position[name], shard): np.frombuffer(data) for name, shard, data in run.known.take("sample/test")}
    work = {shard: [item for item in range(count) if (item, shard) not in rows] for shard in shards}

    def unit(shard: int, items: tuple[int, ...]) -> FinalUnit:
        children = tuple(Candidate(asks[item].name, asks[item].lineage.tail(base)) for item in items)
        return FinalUnit(base, children, "test", shard, run.closed)

    for shard, item, value, failure in run.outcomes("sample/test", Job(work, unit, (base,), "test")):
        if failure is not None:
            value = np.full(len(COLUMNS) + run.fitness.width, math.nan)
        rows[item, shard] = value
        run.images += len(run.inputs.splits.rows["test"][shard])
        run.journal.add(("sample/test", asks[item].name, shard), value.tobytes())
    return {ask.name: merge_shards(np.stack([rows[item, shard] for shard in shards])) for item, ask in enumerate(asks)}


def _sample_size(run: OpenRun, candidates: int) -> int:
    """As asked; auto is a tenth of what the search evaluated, at least 8 children and at most 64."""
    asked = run.config.statistics.children_on_test
    if asked != "auto":
        return asked
    splits = run.inputs.splits
    budget = SAMPLE_SHARE * candidates * splits.images("select") / splits.images("test")
    return min(max(round(budget), SAMPLE_LEAST), SAMPLE_MOST)
