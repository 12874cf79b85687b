"""Members' logits as files: written by the workers, named with their digest, the same whatever made them."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch

from evoray.ensembles import logits_name
from evoray.errors import RunError
from evoray.evolution import evolve


@pytest.fixture(scope="module")
def whole(small_run, tmp_path_factory):
    config = small_run(ensemble__keep_logits=True, compute__workers=1)
    return evolve(config, tmp_path_factory.mktemp("local") / "run", page=False)


def files(result):
    return result.directory.read_json("ensemble.json")["logits"]


def table_of(result):
    return pa.concat_tables(pa.ipc.open_file(result.directory.read(one["file"])).read_all() for one in files(result))


def test_files_are_named_with_their_digest(whole):
    assert len(files(whole)) == 5
    for one in files(whole):
        content = whole.directory.read(one["file"])
        assert (len(content), hashlib.sha256(content).hexdigest()) == (one["bytes"], one["sha256"])
    assert sum(one["images"] for one in files(whole)) == whole.summary["splits"]["test"]


def test_they_give_the_members_figures(whole):
    table = table_of(whole)
    logits = torch.from_numpy(table["logits"].combine_chunks().flatten().to_numpy().copy()).reshape(-1, 10).double()
    nll = -torch.log_softmax(logits, 1)[torch.arange(len(logits)), torch.from_numpy(table["label"].to_numpy().copy())]
    population = {row["child_id"]: row for row in whole.population.to_pylist()}
    members = np.array(table["member"].to_pylist())
    for member in (one["id"] for one in whole.summary["ensemble"]["members"]):
        own = nll.numpy()[members == member]
        assert len(own) == population[member]["test_n"]
        assert own.mean() == pytest.approx(population[member]["test_nll"], rel=1e-12)


def test_they_give_the_ensembles_predictions(whole):
    table = table_of(whole).to_pandas().sort_values("index", kind="stable")
    size = len(whole.summary["ensemble"]["members"])
    logits = torch.tensor(np.stack(table["logits"].to_list())).reshape(-1, size, 10).double()
    mean = torch.softmax(logits, 2).mean(1)
    predicted = whole.directory.read_table("predictions.parquet").to_pandas().sort_values("index")
    best = np.stack(predicted["classes"].to_list())[:, 0]
    assert np.array_equal(mean.argmax(1).numpy(), best)


def test_workers_anywhere_write_the_same_bytes(whole, small_run, tmp_path, any_backend):
    config = small_run(ensemble__keep_logits=True, compute__workers=2)
    assert files(evolve(config, f"file://{tmp_path}/run", page=False, **any_backend)) == files(whole)


def test_a_missing_file_is_made_again_on_resume(whole, small_run, tmp_path):
    shutil.copytree(whole.directory.location, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()  # stopped at the very end
    (tmp_path / "run" / logits_name("test", 3)).unlink()
    (tmp_path / "run" / logits_name("test", 1)).write_bytes(b"cut")
    config = small_run(ensemble__keep_logits=True, compute__workers=1)
    resumed = evolve(config, tmp_path / "run", resume=True, page=False)
    for one in files(whole):
        assert hashlib.sha256(resumed.directory.read(one["file"])).hexdigest() == one["sha256"]


def test_a_directory_that_workers_do_not_share_is_told(small_run, tmp_path, monkeypatch):
    monkeypatch.setattr("evoray.storage.directory.RunDirectory.everywhere", f"file://{tmp_path}/elsewhere")
    with pytest.raises(RunError, match="every machine shares"):
        evolve(small_run(ensemble__keep_logits=True, compute__workers=1), tmp_path / "run")


def test_nothing_is_written_unasked(small_run, tmp_path):
    result = evolve(small_run(compute__workers=1), tmp_path / "run", page=False)
    assert files(result) == []
    assert not (tmp_path / "run" / "logits").exists()
