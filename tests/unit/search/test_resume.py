from __future__ import annotations

import pytest

from evoray.config import parse_config
from evoray.errors import UsageError
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
