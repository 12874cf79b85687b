"""Words of truth as labels: one class however they are written, and asked where they may be two."""

from __future__ import annotations

import json

import pytest
from listing import meant, scanned

from evoray.errors import DataError
from evoray.ingest.cells.truth import one_spelling, unclear
from evoray.ingest.labels.values import label_text, labelled


def taken(values, **options):
    texts = [label_text(value, "here") for value in values]
    found = labelled(texts, lambda record: f"list.csv, line {record + 1}", **options)
    return [found.classes[label] for label in found.indices], found.classes, found.notes


@pytest.mark.parametrize(
    ("values", "texts", "classes"),
    [
        (("True", "TRUE", "true", "False"), ["true", "true", "true", "false"], ("false", "true")),
        (("TRUE", "false", "FALSE"), ["true", "false", "false"], ("false", "true")),
        (("TRUE", "True"), ["true", "true"], ("false", "true")),
        ((True, "True", False), ["true", "true", "false"], ("false", "true")),
        (("Yes", "YES", "no", "yes"), ["yes", "yes", "no", "yes"], ("no", "yes")),
        (("NO", "No", "maybe"), ["no", "no", "maybe"], ("maybe", "no")),
        (
            ("True", "TRUE", "half-true", "False"),
            ["true", "true", "half-true", "false"],
            ("false", "half-true", "true"),
        ),
        (("tRuE", "true", "0x1F"), ["true", "true", "0x1F"], ("0x1F", "true")),
        (("'TRUE'", "'True'", "'False'"), ["true", "true", "false"], ("false", "true")),
    ],
)
def test_a_word_of_truth_is_one_class_however_it_is_written_and_that_is_said(values, texts, classes):
    found, known, notes = taken(values)
    assert (found, known) == (texts, classes)
    assert [note for note in notes if note.startswith("words of truth are one class")], notes


@pytest.mark.parametrize(
    "values",
    [("True", "False"), ("TRUE", "FALSE"), ("Yes", "No"), ("T", "F"), ("y", "n"), ("Truth", "truth"), ("t", "y"),
     ("N", "o", "n"), ("true", "no"), ("yes", "true", "perhaps"), ("T", "t", "A", "a")],
)  # fmt: skip
def test_what_is_written_in_one_way_stays_as_it_is(values):
    found, known, notes = taken(values)
    assert found == list(values) and known == tuple(sorted(values))
    assert not [note for note in notes if "truth" in note.partition(":")[0]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ("true", "false", "yes"),
            "line 3: the label yes is beside true: two words|line 1: the label true is beside yes",
        ),
        (("No", "False", "True"), "two words for one answer"),
        (("T", "true", "false"), "line 2: the label true is beside T: two words"),
        (("y", "Yes", "No"), "two words for one answer"),
        (("T", "t", "F"), "line 2: the label t is beside T: two letters, or one answer in two spellings"),
        (("y", "N", "n"), "line 3: the label n is beside N"),
    ],
)
def test_two_words_for_one_answer_are_asked_about(values, message):
    with pytest.raises(DataError, match=f"{message}.*--as-classes"):
        taken(values)
    assert taken(values, as_classes=True)[1] == tuple(sorted(values))


def test_what_the_user_calls_classes_stays_as_it_is():
    assert taken(("True", "TRUE", "true"), as_classes=True)[1] == ("TRUE", "True", "true")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_lists_of_files_follow_the_same_rule(form, tmp_path):
    rows = list(zip(("a.jpg", "b.jpg", "c.jpg"), ("True", "TRUE", "false"), strict=True))
    text = "file,label\n" + "".join(f"{name},{label}\n" for name, label in rows)
    if form == "jsonl":
        text = "".join(json.dumps({"file": name, "label": label}) + "\n" for name, label in rows)
    source = scanned(tmp_path, text, [name for name, _ in rows])
    assert meant(source) == {"a.jpg": "true", "b.jpg": "true", "c.jpg": "false"}


def test_a_note_names_what_became_one():
    assert one_spelling(["TRUE", "cat", "True", "NO"]) == (
        ["true", "cat", "true", "no"],
        "words of truth are one class however they are written: TRUE, True are true",
    )
    assert one_spelling(["TRUE", "FALSE"]) == (["TRUE", "FALSE"], "")
    assert unclear(["cat", "TRUE", "true"]) is None and unclear(["TRUE", "FALSE"]) is None
