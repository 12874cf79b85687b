from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from evoray.ensembles.logits import logits_file
from evoray.errors import RunError

INDEX, LABEL = np.array([7, 9, 30]), np.array([0, 1, 1])
NAME = "logits/test/000002.arrow"


def written(location, members):
    with logits_file(location, NAME, INDEX, LABEL) as file:
        for name, logits in members.items():
            file.add(name, logits)
    return file


def members(count, classes=4):
    random = np.random.default_rng(0)
    return {f"g0000/c{i:04d}": random.normal(size=(3, classes)).astype(np.float32) for i in range(count)}


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_every_members_logits_are_read_back(tmp_path, scheme):
    given = members(3)
    file = written(f"{scheme}{tmp_path}/run", given)
    content = (tmp_path / "run" / NAME).read_bytes()
    assert file.size == len(content)
    assert file.sha256 == hashlib.sha256(content).digest()
    table = pa.ipc.open_file(content).read_all()
    assert table["member"].to_pylist() == [name for name in given for _ in INDEX]
    assert table["index"].to_pylist() == [7, 9, 30] * 3
    assert table["label"].to_pylist() == [0, 1, 1] * 3
    flat = table["logits"].combine_chunks().flatten().to_numpy()
    assert np.array_equal(flat.reshape(9, 4), np.concatenate(list(given.values())))


def test_the_same_logits_give_the_same_bytes(tmp_path):
    assert written(str(tmp_path / "a"), members(2)).sha256 == written(str(tmp_path / "b"), members(2)).sha256
    assert written(str(tmp_path / "c"), members(2)).sha256 != written(str(tmp_path / "d"), members(3)).sha256


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_failure_leaves_no_file(tmp_path, scheme):
    good = next(iter(members(1).values()))
    with pytest.raises(ValueError):
        written(f"{scheme}{tmp_path}", {"good": good, "of another length": good[:2]})
    assert list((tmp_path / "logits" / "test").iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "logits").write_text("in the way")
    with pytest.raises(RunError, match=r"logits/test/000002\.arrow: cannot be written"):
        written(str(tmp_path), members(1))
