"""Tables of texts to shards: columns, classes, and the order of records in a shard."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import tiny_language

from evoray.data.reader import open_shards, read_manifest
from evoray.errors import ConfigError, DataError
from evoray.ingest.records.gather import gather
from evoray.ingest.records.writing import Wanted, write_records

TASK = "text-classification"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    tiny_language.saved(folder / "net")
    return tiny_language.run_file(folder / "run.toml", "net", TASK)


def written(path, rows):
    columns = {name: [row.get(name) for row in rows] for name in rows[0]}
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pa.parquet.write_table(pa.table(columns), path)
    else:
        cell = {".csv": '"{}"'.format, ".tsv": "{}".format}[path.suffix]
        sign = {".csv": ",", ".tsv": "\t"}[path.suffix]
        path.write_text("\n".join(sign.join(cell(one) for one in line) for line in [columns, *map(dict.values, rows)]))
    return path


ROWS = [
    {"text": "the day", "label": "good"},
    {"text": "sad", "label": "bad"},
    {"text": "a, day\nit was", "label": "good"},
]


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_a_text_and_its_class(tmp_path, config, kind):
    found = gather(written(tmp_path / f"t.{kind}", ROWS), Wanted(TASK, config=config))
    assert found.classes == ("bad", "good")
    assert found.values["label"].tolist() == [1, 0, 1]
    assert [one.tolist() for one in found.values["input_ids"]] == [[2, 8, 10, 3], [2, 7, 3], [2, 9, 1, 10, 13, 11, 3]]
    assert found.read["input_ids"] == ["text"] and found.read["label"] == ["label"]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([10, 2, 10], ("2", "10")),
        ([True, False, True], ("false", "true")),
        (["b", "a", "b"], ("a", "b")),
        (["10", "2", "-1"], ("-1", "2", "10")),
        (["TRUE", "True", "false"], ("false", "true")),
    ],
)
def test_classes_are_words_or_whole_numbers(tmp_path, config, labels, classes):
    rows = [{"body": "the", "kind": label} for label in labels]
    wanted = Wanted(TASK, ("body",), ("kind",), config=config)
    found = gather(written(tmp_path / "t.parquet", rows), wanted)
    assert found.classes == classes
    assert [classes[at] for at in found.values["label"]] == [str(one).lower() for one in labels]


def test_words_of_truth_that_became_one_are_said(tmp_path, config):
    rows = [{"text": "the", "label": label} for label in ("Yes", "no", "YES")]
    found = gather(written(tmp_path / "t.jsonl", rows), Wanted(TASK, config=config))
    assert found.values["label"].tolist() == [1, 0, 1]
    assert [note.rpartition(": ")[2] for note in found.notes] == ["YES, Yes are yes"]


def test_two_columns_are_a_pair(tmp_path, config):
    rows = [{"one": "the", "two": "day", "label": at} for at in (0, 1)]
    found = gather(written(tmp_path / "t.jsonl", rows), Wanted(TASK, ("one", "two"), config=config))
    assert found.values["token_type_ids"][0].tolist() == [0, 0, 0, 1, 1]
    assert found.columns["token_type_ids"].type == "uint8"


REFUSED = {
    "no usual name": ([{"a": "the", "label": "x"}], {}, ConfigError, "--input; there are a, label"),
    "no target": ([{"text": "the", "y": "x"}], {}, ConfigError, "which column is meant.*--target"),
    "three texts": (
        [{"a": "x", "b": "x", "c": "x", "label": "x"}],
        {"inputs": ("a", "b", "c")},
        ConfigError,
        "one or two",
    ),
    "itself": ([{"text": "x", "label": "y"}], {"targets": ("text",)}, ConfigError, "one or two others"),
    "one class": ([{"text": "the", "label": "x"}] * 2, {}, DataError, "one class alone"),
    "an empty text": (
        [{"text": "the", "label": "x"}, {"text": None, "label": "y"}],
        {},
        DataError,
        "record 1.*: empty",
    ),
    "an empty label": ([{"text": "the", "label": 1}, {"text": "a", "label": None}], {}, DataError, "record 1.*: empty"),
    "numbers as texts": ([{"text": 1, "label": "x"}, {"text": 2, "label": "y"}], {}, DataError, "int64, not words"),
    "two words for one answer": (
        [{"text": "a", "label": "yes"}, {"text": "b", "label": "true"}],
        {},
        DataError,
        "record 1 .*true in column label is beside yes: two words for one answer|record 0 .*yes .*beside true",
    ),
    "measures as labels": (
        [{"text": "a", "label": 0.5}, {"text": "b", "label": 1.5}],
        {},
        DataError,
        "double, not words",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path, config, case):
    rows, values, kind, said = REFUSED[case]
    with pytest.raises(kind, match=said):
        gather(written(tmp_path / "t.parquet", rows), Wanted(TASK, config=config, **values))


def test_numbers_beside_words_of_truth_are_asked_about(tmp_path, config):
    """Arrow reads 1 and True of a CSV as one value, if it is let."""
    path = tmp_path / "t.csv"
    path.write_text("text,label\nthe,1\na,True\nof,0\n")
    with pytest.raises(DataError, match="two words for one answer"):
        gather(path, Wanted(TASK, config=config))


def test_a_shards_records_lie_by_their_lengths(tmp_path, config):
    path = tiny_language.table(tmp_path / "t.jsonl", 60)
    gathered = gather(path, Wanted(TASK, config=config))
    manifest = write_records(gathered, tmp_path / "shards", seed=3, shard_size=25)
    assert [shard.rows for shard in manifest.shards] == [25, 25, 10]
    dataset, seen = open_shards(tmp_path / "shards"), []
    for shard in range(3):
        records = dataset.load(shard)
        assert (np.diff(records["input_ids"].lengths) >= 0).all()
        for row, source in enumerate(records.sources):
            at = int(source.removeprefix("record/"))
            assert records["input_ids"][row].tolist() == gathered.values["input_ids"][at].tolist()
            assert records["label"][row] == gathered.values["label"][at]
            seen.append(at)
    assert sorted(seen) == list(range(60))
    assert read_manifest(tmp_path / "shards").read["tokenizer"] == gathered.read["tokenizer"]


def test_texts_to_be_predicted(tmp_path):
    tiny_language.saved(tmp_path / "net", "gpt2")
    config = tiny_language.run_file(tmp_path / "run.toml", "net", "language-modelling")
    found = gather(written(tmp_path / "t.jsonl", ROWS), Wanted("language-modelling", config=config))
    assert found.values["bytes"].tolist() == [7, 3, 13]
    assert found.values["input_ids"][0].tolist() == [2, 8, 10]
    for values in ({"inputs": ("text", "label")}, {"targets": ("label",)}):
        with pytest.raises(ConfigError, match="name one column as --input"):
            gather(tmp_path / "t.jsonl", Wanted("language-modelling", config=config, **values))
