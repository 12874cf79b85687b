from __future__ import annotations

from contextlib import nullcontext

import pytest

from evoray.config import parse_config
from evoray.errors import RunError, UsageError
from evoray.search import session
from evoray.search.resume import CONFIG, IDENTITY, check_same
from evoray.storage.directory import RunDirectory


def of(**parent):
    return parse_config({"parent": {"source": "onnx", "name": "net.onnx", **parent}, "data": {"path": "shards"}})


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"integers": "rounded"}, {}, "parent.integers was 'rounded' and is 'fixed'"),
        ({}, {"integers": "rounded"}, "parent.integers was 'fixed' and is 'rounded'"),
        ({}, {"output": "logits"}, "parent.output was not given and is 'logits'"),
        ({"mean": [0.5], "std": [0.5]}, {}, r"parent.mean was \[0.5\] and is not given"),
    ],
)
def test_a_key_that_is_not_recorded_is_told_as_its_default(tmp_path, before, now, said):
    directory = RunDirectory(str(tmp_path / "run"))
    directory.write_json(CONFIG, of(**before).model_dump(mode="json"))
    directory.write_json(IDENTITY, {"run_id": "a", "parent": "x", "space": "s", "data": {}})
    with pytest.raises(UsageError, match=f"cannot be resumed, {said}"):
        check_same(directory, of(**now), {"parent": "x"})


@pytest.mark.parametrize(
    ("recorded", "now", "refused"), [(None, 1, False), (None, 2, True), (2, 2, False), (1, 2, True)]
)
def test_a_strategy_that_searches_otherwise_since_is_refused(tmp_path, recorded, now, refused):
    """A run that recorded none began with the first."""
    directory = RunDirectory(str(tmp_path / "run"))
    directory.write_json(CONFIG, of().model_dump(mode="json"))
    found = {"run_id": "a", "parent": "x", "space": "s", "data": {}}
    directory.write_json(IDENTITY, found | ({} if recorded is None else {"strategy": recorded}))
    said = "cannot be resumed, search.strategy: decomposition searches otherwise than in the EvoRay that began it"
    with pytest.raises(UsageError, match=said) if refused else nullcontext():
        check_same(directory, of(), {"parent": "x", "strategy": now})


def test_memory_that_is_short_is_not_the_journals_fault(tmp_path):
    """What would have a user remove every result of the run."""
    directory = RunDirectory(str(tmp_path))
    with pytest.raises(MemoryError), session._journal_fits(directory):
        raise MemoryError("Unable to allocate 3 GiB")
    with pytest.raises(RunError, match="could not go on with what journal/ holds"), session._journal_fits(directory):
        raise ValueError("records of another version")
