"""JSON lists: what each means, or why it is none."""

from __future__ import annotations

import json

import pytest
from listing import meant, scanned

from evoray.errors import DataError
from evoray.ingest.labels.records import MOST_COLUMNS

FILES = ("a.jpg", "b.jpg", "c.jpg")
CATS = {"a.jpg": "cat", "b.jpg": "dog", "c.jpg": "cat"}
RECORDS = [{"file_name": file, "label": label} for file, label in CATS.items()]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize(
    "text",
    [
        lines(RECORDS),
        "\n" + lines(RECORDS).replace("\n", "\r\n\r\n"),
        lines(RECORDS).encode("utf-8-sig"),
        lines(RECORDS).encode("utf-16"),
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=2),
        json.dumps(CATS),
        json.dumps(CATS, indent=1),
        json.dumps([[file, label] for file, label in CATS.items()]),
        json.dumps({"labels": [[file, label] for file, label in CATS.items()]}),  # StyleGAN's dataset.json
        json.dumps({"data": RECORDS, "version": 1}),
        json.dumps({"cat": ["a.jpg", "c.jpg"], "dog": ["b.jpg"]}),
        json.dumps({file: {"label": label, "width": 3} for file, label in CATS.items()}),
        json.dumps({"file": list(CATS), "label": list(CATS.values())}),
        json.dumps({"file": dict(enumerate(CATS)), "label": dict(enumerate(CATS.values()))}),  # pandas' to_json
        lines([{**record, "width": 3, "objects": {"bbox": [1, 2]}} for record in RECORDS]),
        lines([{"image": "images/" + record["file_name"], "class": record["label"]} for record in RECORDS]),
        lines([{"image_id": record["file_name"][0], "class": record["label"]} for record in RECORDS]),
        lines([{"image": record["file_name"].upper(), "class": record["label"]} for record in RECORDS]),
    ],
)
def test_a_json_list_means_what_it_says(text, tmp_path):
    assert meant(scanned(tmp_path, text, FILES, "metadata.jsonl")) == CATS


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([3, 0, 1], ["3", "0", "1"]),
        ([3.0, 0.0, 1.0], ["3", "0", "1"]),
        (["3", "10", "0"], ["3", "10", "0"]),
        ([True, False, True], ["true", "false", "true"]),
        (["None", "cat", "nan"], ["None", "cat", "nan"]),
    ],
)
def test_values_are_labels_as_in_tables(labels, classes, tmp_path):
    text = lines([{"file": file, "label": label} for file, label in zip(FILES, labels, strict=True)])
    assert list(meant(scanned(tmp_path, text, FILES)).values()) == classes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lines([*RECORDS[:2], {"file_name": "c.jpg", "label": None}]), "line 3 has the label ''"),
        (lines([*RECORDS[:2], {"file_name": "c.jpg"}]), "line 3 has the label ''"),
        (json.dumps([*RECORDS[:2], {"file_name": "c.jpg", "label": None}]), "record 3 has the label ''"),
        (lines([*RECORDS[:2], {"label": "cat"}]), "line 3: a label and no file"),
        (lines([*RECORDS[:2], {"file_name": "c.jpg", "label": ["cat", "dog"]}]), "line 3: .* several labels"),
        (lines([*RECORDS[:2], {"file_name": "c.jpg", "label": {"id": 1}}]), "line 3: .* several labels"),
        (lines(RECORDS) + "[1, 2]\n", "line 4: no record with keys"),
        (lines(RECORDS) + '{"file_name": "d.jpg", \n', "line 4: damaged, not JSON.*header filename,label"),
        (lines(RECORDS).replace('"cat"', "NaN"), "line 1: damaged, not JSON .*NaN is no number"),
        (lines([{**record, "target": 1} for record in RECORDS]), "label could be in the columns label, target"),
        (json.dumps({"images": [{"id": 1}], "annotations": [{"id": 2}]}), "annotations as COCO has them"),
        (json.dumps({"a.jpg": ["cat", "dog"], "b.jpg": ["dog"], "c.jpg": ["cat"]}), "has two labels|two labels"),
        (json.dumps({"a.jpg": 1, "b.jpg": [1], "c.jpg": 2}), "JSON with the keys a.jpg, b.jpg, c.jpg, and no list"),
        (json.dumps({"file": ["a.jpg"], "label": [1, 2]}), "JSON columns of different lengths"),
        (json.dumps({"file": [], "label": []}), "without records"),
        ("{}", "JSON, and no list of labels"),
        ("[]", "without records"),
        ("[1, 2, 3]", "a JSON array of int"),
        ('["a.jpg", "b.jpg"]', "a JSON array of str"),
        ('{"a.jpg": "cat", ', "damaged, not JSON.*or mend the JSON"),
        ("[" * 5000, "damaged"),
        (json.dumps([{str(n): 1} for n in range(MOST_COLUMNS + 1)]), "more than 1,000 different keys"),
        (json.dumps([{"file": "a.jpg"}]), "without records of a file and a label"),
    ],
)
def test_what_is_no_list_is_refused_with_what_to_do(text, message, tmp_path):
    with pytest.raises(DataError, match=message):
        scanned(tmp_path, text, FILES)


def test_records_are_filtered_as_tables_are(tmp_path):
    text = lines([{**record, "split": "test" if record["label"] == "dog" else "train"} for record in RECORDS])
    source = scanned(tmp_path, text, FILES, only="split=test")
    assert meant(source) == {"b.jpg": "dog"} and source.classes == ("cat", "dog")


def test_a_large_document_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr("evoray.ingest.labels.records.JSON_BYTES", 50)
    with pytest.raises(DataError, match=r"a JSON document of over 50 bytes\. Write a record a line"):
        scanned(tmp_path, json.dumps(RECORDS), FILES)
    assert meant(scanned(tmp_path, lines(RECORDS), FILES)) == CATS
