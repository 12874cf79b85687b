"""One unit of children: what holds for whole shards (blame, log fields, shard locality) holds for races and the end."""

from __future__ import annotations

import sys

import pytest

from evoray.backends import make_backend
from evoray.errors import EvaluationError
from evoray.evolution import evolve

FITNESS = '''
import torch
from evoray.runtime import logs

SEEN = []

def sure(logits, labels):
    """Probability of the true class; keeps what a log line written here would say."""
    SEEN.append(dict(logs._fields.get()))
    return torch.softmax(logits, 1).gather(1, labels[:, None])[:, 0]

def many(logits, labels):
    """Refuses the few images of a group, which it meets in the final evaluation alone."""
    if len(labels) < 8:
        raise ValueError("too few images")
    return sure(logits, labels)
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "users_scores.py").write_text(FITNESS)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("users_scores", None)


def test_a_fitness_that_raises_in_the_final_evaluation_names_network_and_shard(small_run, folder):
    """Fails where only the forward pass is watched: the message was the function's own."""
    config = small_run(fitness__name="users_scores:many", data__select=0.1, data__test=0.1)
    with pytest.raises(EvaluationError, match=r"child parent on shard \d+ of test: ValueError: too few images"):
        evolve(config, folder / "run", config_dir=folder, page=False)


def test_a_race_logs_its_children(small_run, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)  # the program's own folder: its modules stay
    config = small_run(fitness__name="users_scores:sure", search__racing=True, search__children=8, compute__workers=1)
    evolve(config, folder / "run", config_dir=folder, page=False)
    seen = sys.modules["users_scores"].SEEN
    children = {fields.get("child") for fields in seen if str(fields.get("child")).startswith("g0000/c")}
    assert len(children) == 8
    assert all("shard" in fields for fields in seen if fields.get("child") in children)


def test_a_race_asks_for_workers_by_what_they_hold(small_run, folder):
    """Fails where jobs of a race go by another name than workers report: no unit would find its shard's holder."""
    config = small_run(search__racing=True, search__children=8, compute__workers=1)
    backend = make_backend(config.compute)
    asked, run = [], backend.run

    def remember(job):
        asked.append((job.split, sorted(shard for shard, items in job.work.items() if items)))
        return run(job)

    backend.run = remember
    try:
        evolve(config, folder / "run", backend=backend, page=False)
        (state,) = backend._states
        held = set(state.held())
    finally:
        backend.close()
    looks = [(split, shards) for split, shards in asked if split.startswith("select[")]
    assert len(looks) > 1
    assert all((split, shard) in held for split, shards in looks for shard in shards)
