"""``soup.recalibrate``: BatchNorm statistics of the soup, measured anew on ``select`` (``models/batchnorm.py``).

They are no part of a recipe (format 1 keeps the parent's buffers), so the soup with them is a network of its own beside
the soup: ``soup_recalibrated``, compared with the parent like the others, its buffers a file of the run.
"""

from __future__ import annotations

import numpy as np

from evoray.backends import Job
from evoray.errors import RunError
from evoray.evaluation.units.batchnorm import MomentsUnit
from evoray.fitness import merge_shards
from evoray.models import Buffers, batchnorm_layers, statistics_of
from evoray.mutation import Lineage
from evoray.search.session import OpenRun

STAGE = "soup/recalibrate"


def recalibrate(run: OpenRun, soup: Lineage) -> Buffers:
    """The statistics that belong to a network's weights; empty where it has no BatchNorm layer.

    Raises:
        RunError: some layer met too few images, or values that are not finite.
    """
    channels = {name: layer.num_features for name, layer in batchnorm_layers(run.inputs.parent.model).items()}
    if not channels:
        run.progress.note("soup.recalibrate: this network has no BatchNorm layer, so there is nothing to do")
        return {}
    shards = run.inputs.splits.shards("select")
    rows = {shard: np.frombuffer(payload) for _, shard, payload in run.known.take(STAGE)}
    work = {shard: [0] for shard in shards if shard not in rows}

    def unit(shard: int, items: tuple[int, ...]) -> MomentsUnit:
        return MomentsUnit(soup, "select", shard)

    for shard, _, value, failure in run.outcomes(STAGE, Job(work, unit, (soup,), "select")):
        if failure is not None:
            raise RunError(f"shard {shard} of select killed every worker that met it: {failure}")
        rows[shard] = value
        run.images += len(run.inputs.splits.rows["select"][shard])
        run.journal.add((STAGE, "all", shard), value.tobytes())
    total = merge_shards(np.stack([rows[shard] for shard in shards]))
    if not np.isfinite(total).all() or total[: len(channels)].min() < 2:
        raise RunError(
            "soup.recalibrate: a BatchNorm layer of the soup met too few images or values that are not finite. "
            "Give data.select more images, or leave soup.recalibrate out."
        )
    return statistics_of(channels, total)
