from __future__ import annotations

import json

import pytest
import torch

from evoray.errors import LineageError, UsageError
from evoray.models import write_state
from evoray.mutation import Entry, Lineage, Space, lineage_document, tensors_sha256
from evoray.mutation.document import beside
from evoray.mutation.towards import Towards
from evoray.results.parents import of_document, of_run
from evoray.storage.directory import RunDirectory


def state_of(seed):
    return {"a": torch.randn(5, generator=torch.Generator().manual_seed(seed))}


STATE, FIRST, SECOND = (state_of(seed) for seed in range(3))
PLAIN = Space.from_state(STATE, ["a"], "rms")
NAMED = PLAIN.with_towards([tensors_sha256(FIRST), tensors_sha256(SECOND)], torch.zeros(2, 5).numpy())
SPACE = beside(NAMED, STATE, [FIRST, SECOND])
LINEAGE = Lineage((Entry(1.0, Towards(noise_seed=1, coefficients=(0.5, 1.5))),))
DOCUMENT = lineage_document("p", STATE, SPACE, LINEAGE)


@pytest.fixture
def files(tmp_path):
    for number, state in enumerate((FIRST, SECOND), 1):
        write_state(tmp_path / f"{number}.safetensors", state)
    return [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]


def test_of_a_document_in_any_order(files):
    found = of_document(json.loads(json.dumps(DOCUMENT)), None, STATE, files[::-1])
    assert found.towards.tobytes() == SPACE.towards.tobytes() and found.sha256 == SPACE.sha256


def test_of_a_run_where_its_configuration_says_or_elsewhere(files, tmp_path):
    directory = RunDirectory(str(tmp_path / "run"))
    directory.write_json("config.json", {"parent": {}, "mutation": {"towards": [str(file) for file in files]}})
    unread = Space.from_json(SPACE.to_json())
    assert of_run(directory, unread, STATE, {}, ()).towards.tobytes() == SPACE.towards.tobytes()
    directory.write_json("config.json", {"parent": {}, "mutation": {"towards": ["gone.pth", str(files[1])]}})
    with pytest.raises(UsageError, match=r"gone\.pth: no such file.*--towards"):
        of_run(directory, unread, STATE, {}, ())
    assert of_run(directory, unread, STATE, {}, files).towards.tobytes() == SPACE.towards.tobytes()


@pytest.mark.parametrize(
    ("document", "error", "words"),
    [
        (lineage_document("p", STATE, PLAIN, Lineage()), UsageError, "names no checkpoints.*Leave it out"),
        ({**DOCUMENT, "space": {"sha256": "x"}}, UsageError, "names no checkpoints"),
        ({}, LineageError, "lineage"),
        ([], LineageError, "lineage"),
        ({**DOCUMENT, "parent": {"sha256": "x", "aliases": {"b": 1}}}, LineageError, "aliases"),
        ({**DOCUMENT, "space": {**DOCUMENT["space"], "towards": ["x"]}}, LineageError, "towards"),
    ],
)
def test_documents_that_do_not_fit(document, error, words, files):
    with pytest.raises(error, match=words):
        of_document(document, None, STATE, files)


def test_one_that_is_missing(files):
    with pytest.raises(LineageError, match=f"{tensors_sha256(SECOND)}.*among the 1 given"):
        of_document(DOCUMENT, None, STATE, files[:1])
