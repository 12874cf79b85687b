"""``answers.parquet``: what each network answered to every prompt of ``test``, for people to read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evoray.results.panel import Panel
from evoray.search.session import Session
from evoray.tasks.generation.fitting import below
from evoray.tasks.generation.task import PROMPT


def answers_table(session: Session, panel: Panel) -> pa.Table | None:
    """A row a record, in order: index, its source, the prompt; answer and reward of each network (null where its scores
    were not finite), and with an ensemble the votes for the answer that won. None for tasks whose outputs are no text.
    """
    task: Any = panel.task
    if PROMPT not in task.schema.columns:  # a task of a user's own may have a method of any name
        return None
    splits = session.splits
    prompts, sources = [], []
    for shard in splits.shards("test"):
        records, rows = splits.datasets["test"].load(shard), splits.rows["test"][shard]
        prompts += [records[PROMPT][row] for row in rows]
        sources += [records.sources[row] for row in rows]
    columns: dict[str, pa.Array] = {
        "index": pa.array(panel.images("index"), pa.int64()),
        "source": pa.array(sources, pa.string()),
        "prompt": pa.array(prompts, pa.string()),
    }
    for name in panel.names:
        kept = panel.records(name)
        columns[f"{name}_answer"] = pa.array([task.text(tokens) for tokens in kept["answer"]], pa.string())
        columns[f"{name}_reward"] = pa.array(kept["reward"], pa.float64(), mask=np.isnan(kept["reward"]))
    if panel.members:
        columns["ensemble_votes"] = pa.array(panel.images("votes"), pa.float64())
    found = pa.table(columns)
    if (said := below_lowest(found, panel.names, task.lowest)) is not None:
        session.observers.note(said)
    return found


def below_lowest(answers: pa.Table, names: Sequence[str], lowest: float) -> str | None:
    """What is said where a network's answer has a reward below what a failure counts: only the parent's first answers
    were looked at before the run, and a worker's log may lie elsewhere."""
    low = {name: least for name in names if (least := pc.min(answers[f"{name}_reward"]).as_py()) is not None}
    name = min(low, key=low.__getitem__, default="")
    if not name or low[name] >= lowest:
        return None
    return f"{below(lowest, low[name], f'an answer of {name} to a prompt of test')}, and run again"
