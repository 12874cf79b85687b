"""``answers.parquet``: what each network answered to every prompt of ``test``, for people to read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from evoray.results.panel import Panel
from evoray.search.session import Session
from evoray.tasks.generation.task import PROMPT


def answers_table(session: Session, panel: Panel) -> pa.Table | None:
    """A row a record, in order: index, its source, the prompt; answer and reward of each network (null where its scores
    were not finite), and with an ensemble the votes for the answer that won. None for tasks whose outputs are no text.
    """
    task: Any = panel.task
    if not hasattr(task, "text"):
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
    return pa.table(columns)
