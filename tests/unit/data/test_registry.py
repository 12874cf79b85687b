from __future__ import annotations

import pytest
from pictures import GREY, grey_records

from evoray.data import ArrowDataset, ShardCache, open_dataset
from evoray.data.ready.mock import MockDataset
from evoray.data.ready.packaged import PACKAGED, PackagedDataset
from evoray.errors import ConfigError, DataError
from evoray.ingest.ingest import ingest_dataset


@pytest.fixture
def shards(tmp_path):
    ingest_dataset(grey_records(6), tmp_path / "configs" / "shards", GREY)
    return tmp_path / "configs" / "shards"


def test_a_mock_and_a_packaged_name_are_known(shards):
    assert isinstance(open_dataset("mock:images=3,size=2"), MockDataset)
    assert isinstance(open_dataset("mnist5k"), PackagedDataset)
    assert "mnist5k" in PACKAGED


def test_a_directory_and_its_uri_are_one_dataset(shards, tmp_path):
    here = open_dataset(str(shards))
    there = open_dataset(f"file://{shards}", cache=ShardCache(tmp_path / "cache", 10**6))
    assert isinstance(here, ArrowDataset) and isinstance(there, ArrowDataset)
    assert here.digest == there.digest
    there.load(0)
    assert list((tmp_path / "cache").glob(here.manifest.shards[0].sha256)), "the given cache keeps them"


def test_a_relative_path_counts_from_here_and_then_from_the_configuration(shards, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="shards: no such directory"):
        open_dataset("shards")
    beside = open_dataset("shards", shards.parent)
    assert beside.digest == open_dataset(str(shards)).digest
    ingest_dataset(grey_records(6, seed=1), tmp_path / "shards", GREY)
    assert (
        open_dataset("shards", shards.parent).digest == open_dataset(str(tmp_path / "shards")).digest != beside.digest
    )


def test_what_is_nowhere_is_named_as_it_was_given(shards):
    with pytest.raises(DataError, match=r"^elsewhere/shards: no such directory.*evoray data ingest"):
        open_dataset("elsewhere/shards", shards.parent)


def test_a_malformed_mock_is_an_error_of_the_configuration():
    with pytest.raises(ConfigError, match=r'data\.path = "mock:images"'):
        open_dataset("mock:images")
