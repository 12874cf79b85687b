from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoray.data.checks.verify import verify
from evoray.data.reader import open_shards, read_manifest
from evoray.data.records import Column, Ragged
from evoray.errors import DataError
from evoray.ingest.records import writing
from evoray.ingest.records.writing import Gathered, write_records


def gathered(rows):
    random = np.random.default_rng(0)
    lists = Ragged.of([random.integers(9, size=row % 4) for row in range(rows)], "int64")
    values = {"input": random.normal(size=(rows, 2, 3)).astype(np.float32), "ids": lists}
    values["text"] = [f"é{row}" for row in range(rows)]
    columns = {
        "input": Column(type="float32", shape=(2, 3)),
        "ids": Column(type="int64"),
        "text": Column(type="string"),
    }
    return Gathered("t", columns, values, "text", [f"r/{row}" for row in range(rows)])


@settings(max_examples=8)
@given(st.integers(1, 300), st.integers(40, 300), st.integers(0, 3))
def test_every_record_is_there_once(tmp_path_factory, rows, size, seed):
    records, dest = gathered(rows), tmp_path_factory.mktemp("x") / "s"
    manifest = write_records(records, dest, seed, size)
    dataset = open_shards(dest)
    assert dataset.shard_rows == tuple(min(size, rows - at) for at in range(0, rows, size))
    assert (dataset.digest, verify(dest).damaged) == (manifest.digest, ())
    seen = set()
    for index in range(len(dataset.shard_rows)):
        shard = dataset.load(index)
        for place, name in enumerate(shard.sources):
            row = int(name.removeprefix("r/"))
            seen.add(row)
            assert np.array_equal(shard["input"][place], records.values["input"][row])
            assert shard["ids"][place].tolist() == records.values["ids"][row].tolist()
            assert shard["text"][place] == f"é{row}"
    assert seen == set(range(rows))


def test_the_same_bytes_every_time_and_others_by_another_seed(tmp_path):
    digests = [write_records(gathered(20), tmp_path / f"{n}", seed, 8).digest for n, seed in enumerate((0, 0, 1))]
    assert digests[0] == digests[1] != digests[2]


def test_a_place_that_is_taken(tmp_path):
    (tmp_path / "s").write_text("mine")
    with pytest.raises(DataError, match=r"exists already\. Name a new directory"):
        write_records(gathered(3), tmp_path / "s")
    assert (tmp_path / "s").read_text() == "mine"


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_stays(tmp_path, monkeypatch, stop):
    def full(**_):
        raise stop

    monkeypatch.setattr(writing, "RecordManifest", full)
    with pytest.raises(DataError if isinstance(stop, OSError) else KeyboardInterrupt):
        write_records(gathered(3), tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_an_edited_manifest_gives_no_wrong_numbers(tmp_path):
    write_records(gathered(5), tmp_path / "s")
    path = tmp_path / "s" / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 5', '"rows": 4'))
    with pytest.raises(DataError, match=r"manifest\.json: damaged .*not what was written"):
        read_manifest(tmp_path / "s")
