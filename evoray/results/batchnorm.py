"""``soup.recalibrate``: BatchNorm statistics of the soup, measured anew on ``select`` (``models/batchnorm.py``).

They are no part of a recipe (format 1 keeps the parent's buffers), so the soup with them is a network of its own beside
the soup: ``soup_recalibrated``, compared with the parent like the others, its buffers a file of the run.
"""

import numpy as np

from evoray.errors import RunError
from evoray.evaluation.units.batchnorm import MomentsUnit
from evoray.models import Buffers, batchnorm_layers, statistics_of
from evoray.mutation import Lineage
from evoray.search.session import Session
from evoray.search.stages import ROW, Part, Stage, StageKey, run_whole
from evoray.tasks.sums import merge_shards

STAGE = StageKey("soup/recalibrate", Part.BATCHNORM)


def recalibrate(session: Session, soup: Lineage) -> Buffers:
    """The statistics that belong to a network's weights; empty where it has no BatchNorm layer.

    Raises:
        RunError: some layer met too few images, or values that are not finite.
    """
    channels = {name: layer.num_features for name, layer in batchnorm_layers(session.inputs.parent.model).items()}
    if not channels:
        session.observers.note("soup.recalibrate: this network has no BatchNorm layer, so there is nothing to do")
        return {}
    images = session.splits.images_by_shard("select")
    stage = Stage(STAGE, ["all"], images, lambda shard, _: MomentsUnit(soup, "select", shard), ROW, shared=(soup,))
    rows = run_whole(session, stage)
    total = merge_shards(np.stack([rows[shard] for shard in images]))
    if not np.isfinite(total).all() or total[: len(channels)].min() < 2:
        raise RunError(
            "soup.recalibrate: a BatchNorm layer of the soup met too few images or values that are not finite. "
            "Give data.select more images, or leave soup.recalibrate out."
        )
    return statistics_of(channels, total)
