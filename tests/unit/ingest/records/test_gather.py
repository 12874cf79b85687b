from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from evoray.errors import ConfigError, DataError
from evoray.ingest.records.gather import gather, gather_dataset
from evoray.ingest.records.writing import Wanted

CSV = ",a,b,y,z\n0,1,2,3,1\n1,4,5,6.5,0\n"


@pytest.fixture
def table(tmp_path):
    (tmp_path / "t.csv").write_text(CSV)
    return tmp_path / "t.csv"


def test_every_other_column_is_the_input_but_for_row_numbers(table):
    found = gather(table, Wanted("regression", (), ("y",)))
    assert found.read == {"input": ["a", "b", "z"], "target": ["y"]}
    assert found.values["input"].tolist() == [[1, 2, 1], [4, 5, 0]] and found.values["input"].dtype == np.float32
    assert found.values["target"].tolist() == [[3.0], [6.5]]
    assert found.names == ["record/0", "record/1"]


def test_several_targets_and_named_inputs(table):
    found = gather(table, Wanted("regression", ("b", "a"), ("z", "y")))
    assert found.values["input"].tolist() == [[2, 1], [5, 4]]
    assert found.values["target"].tolist() == [[1, 3], [0, 6.5]]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted("regression"), "name the columns of the target with --target"),
        (Wanted("regression", (), ("q",)), "--target q: .*has no such column. It has , a, b, y, z"),
        (Wanted("regression", ("q",), ("y",)), "--input q"),
        (Wanted("regression", ("y",), ("y",)), "--input y: it is the target as well"),
        (Wanted("regression", (), ("*",)), "no column is left for the input"),
        (Wanted("image-classification", (), ("y",)), "not read from tables. There are regression, multi-label"),
        (Wanted("multi-label", (), ("y",)), "record 0 .*the label 3; labels are 0 or 1"),
    ],
)
def test_what_is_wanted_and_is_not_there(table, wanted, says):
    with pytest.raises((ConfigError, DataError), match=says):
        gather(table, wanted)


def test_labels_are_zeros_and_ones(table):
    found = gather(table, Wanted("multi-label", ("a",), ("z",)))
    assert found.values["target"].dtype == np.uint8 and found.values["target"].tolist() == [[1], [0]]


def test_a_target_of_words(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,said\n1,2,null\n4,5,007b\n")
    found = gather(tmp_path / "t.csv", Wanted("mine:Words", (), ("said",), kind="regression", words=True))
    assert found.values["target"] == ["null", "007b"] and found.columns["target"].type == "string"
    assert found.values["input"].tolist() == [[1, 2], [4, 5]]


@pytest.mark.parametrize(
    ("target", "kind"),
    [(torch.tensor([0.5, 2.0]), "float32"), (torch.tensor([1.7e9 + 1, 1.7e9 + 2], dtype=torch.float64), "float64")],
)
def test_a_target_keeps_its_value(target, kind):
    """Seconds since 1970 are 128 apart in float32."""
    found = gather_dataset(TensorDataset(torch.ones(2, 3), target), Wanted("regression"))
    assert found.columns["target"].type == kind
    assert found.values["target"][:, 0].tolist() == target.tolist()


@pytest.mark.parametrize(
    ("kind", "kept"),
    [(torch.int64, "int64"), (torch.int32, "int64"), (torch.uint8, "float32"), (torch.bool, "float32")],
)
def test_whole_inputs_of_a_dataset_stay_whole(kind, kept):
    found = gather_dataset(TensorDataset(torch.ones(2, 3, dtype=kind), torch.ones(2)), Wanted("regression"))
    assert found.columns["input"].type == kept and found.values["input"].dtype == kept


def test_an_input_beyond_float32(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1,1\n1e39,1\n")
    with pytest.raises(DataError, match=r"record 1 .*beyond float32, 3.4e38. Scale it"):
        gather(tmp_path / "t.csv", Wanted("regression", (), ("y",)))


def test_columns_of_a_dataset():
    with pytest.raises(ConfigError, match="name columns of a table"):
        gather_dataset(TensorDataset(torch.ones(2, 3)), Wanted("regression", ("a",)))
    with pytest.raises(ConfigError, match="not read from a Dataset"):
        gather_dataset(TensorDataset(torch.ones(2, 3)), Wanted("image-classification"))
