"""The final test, after the last choice: parent, best child, soup, ensemble and a sample of children on ``test``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evoray.data.splits import SearchClosed
from evoray.errors import RunError
from evoray.evaluation.units.batchnorm import MomentsUnit
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.evaluation.units.ensemble import PanelUnit
from evoray.models import Buffers, batchnorm_layers, statistics_of
from evoray.mutation import Lineage, shared_base
from evoray.results.members import Choices
from evoray.results.panel import Panel, run_panel
from evoray.runtime.auto import given
from evoray.runtime.seeds import Stream, generator
from evoray.search.population import Evaluated
from evoray.search.session import Session
from evoray.search.stages import ROW, Part, Stage, StageKey, run_stage, run_whole
from evoray.storage.directory import RECALIBRATED
from evoray.strategies import Ask
from evoray.tasks.sums import merge_shards

SAMPLE_SHARE, SAMPLE_LEAST, SAMPLE_MOST = 0.1, 8, 64


@dataclass(frozen=True)
class FinalTest:
    """Everything measured at the end.

    sample: merged sums on ``test`` of children drawn by chance, by name.
    recalibrated: the soup's own BatchNorm statistics, where they were asked for and there are any.
    """

    test: Panel
    select: Panel
    temperatures: tuple[tuple[str, float], ...]
    sample: dict[str, np.ndarray]
    recalibrated: Buffers


def final_test(session: Session, choices: Choices) -> FinalTest:
    """Fits what is left to fit on ``select``, closes the search, and looks at ``test``."""
    soup, config = choices.soup, session.config
    on_select = run_panel(session, StageKey("panel/select", Part.FINAL_SELECT), _on_select(session, choices))
    temperatures = on_select.temperatures() if config.ensemble.temperature else ()
    own = recalibrate(session, soup.lineage) if soup and config.soup.recalibrate else {}
    closed = session.close_search()
    unit = _on_test(session, choices, temperatures, own, closed)
    on_test = run_panel(session, StageKey("panel/test", Part.FINAL_TEST), unit)
    return FinalTest(on_test, on_select, temperatures, _sample(session, choices.evaluated, closed), own)


def _on_select(session: Session, choices: Choices) -> PanelUnit:
    """The parent; and the members, where temperatures are to be fitted."""
    config = session.config.ensemble
    members = choices.members if config.temperature else ()
    base = shared_base([member.lineage for member in choices.members])
    named = (("parent", Lineage()),)
    return PanelUnit(base, named, members, "select", 0, method=config.method, fit_temperatures=config.temperature)


def _on_test(
    session: Session, choices: Choices, temperatures: tuple[tuple[str, float], ...], own: Buffers, closed: SearchClosed
) -> PanelUnit:
    """Parent, best child, soup, the soup with statistics of its own where it has them, and the ensemble."""
    config, fitness = session.config.ensemble, session.fitness
    return PanelUnit(
        shared_base([member.lineage for member in choices.members]),
        named_networks(choices, own),
        choices.members,
        "test",
        0,
        closed,
        config.method,
        temperatures,
        block_width=0 if fitness.name in session.inputs.task.scored else fitness.layout.width,
        buffers=((RECALIBRATED, own),) if own else (),
        logits_to=session.directory.everywhere if config.keep_logits else None,
    )


def named_networks(choices: Choices, own: Buffers) -> tuple[tuple[str, Lineage], ...]:
    """Those that are looked at by name, on a run's ``test`` and on each guard's."""
    soup = choices.soup.lineage if choices.soup else Lineage()
    named = (("parent", Lineage()), ("best_child", choices.best.ask.lineage), ("soup", soup))
    return (*named, (RECALIBRATED, soup)) if own else named


def _sample(session: Session, evaluated: Sequence[Evaluated], closed: SearchClosed) -> dict[str, np.ndarray]:
    """Merged sums on ``test`` of some children, drawn by the run's seed from all that did not fail.

    Not numbers for a child that is given up.
    """
    asks = _drawn(session, evaluated)
    base = shared_base([ask.lineage for ask in asks])
    images = session.splits.images_by_shard("test")
    column = {shard: at for at, shard in enumerate(images)}
    rows = session.fitness.layout.unknown(len(asks), len(images))

    def unit(shard: int, items: tuple[int, ...]) -> ChildrenUnit:
        children = tuple(Candidate(asks[item].name, asks[item].lineage.tail(base)) for item in items)
        return ChildrenUnit(base, children, "test", shard, closed=closed)

    key = StageKey("sample/test", Part.SAMPLE)
    stage = Stage(key, [ask.name for ask in asks], images, unit, ROW, "test", shared=(base,))
    for result in run_stage(session, stage) if asks else ():
        if result.value is not None:
            rows[result.item, column[result.shard]] = result.value
    return {ask.name: merge_shards(rows[item]) for item, ask in enumerate(asks)}


def _drawn(session: Session, evaluated: Sequence[Evaluated]) -> list[Ask]:
    able = [one for one in evaluated if one.ask.kind == "child" and math.isfinite(one.fitness)]
    count = min(_sample_size(session, len(evaluated)), len(able))
    random = generator(session.config.seed, Stream.TEST_SAMPLE)
    drawn = np.sort(random.choice(len(able), count, replace=False))
    return [able[int(index)].ask for index in drawn]


def _sample_size(session: Session, candidates: int) -> int:
    """As asked; auto is a tenth of what the search evaluated, at least 8 children and at most 64."""
    asked = given(session.config.statistics.children_on_test)
    if asked is not None:
        return asked
    budget = SAMPLE_SHARE * candidates * session.splits.images("select") / session.splits.images("test")
    return min(max(round(budget), SAMPLE_LEAST), SAMPLE_MOST)


STAGE = StageKey("soup/recalibrate", Part.BATCHNORM)


def recalibrate(session: Session, soup: Lineage) -> Buffers:
    """``soup.recalibrate``: the statistics that belong to a network's weights, measured anew on ``select``; empty where
    it has no BatchNorm layer.

    They are no part of a recipe (format 1 keeps the parent's buffers), so the soup with them is a network of its own
    beside the soup: ``soup_recalibrated``, compared with the parent like the others, its buffers a file of the run.

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
