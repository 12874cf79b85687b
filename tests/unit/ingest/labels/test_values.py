from __future__ import annotations

from contextlib import nullcontext
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.errors import DataError
from evoray.ingest.labels.values import MOST_CLASSES, class_index, label_text, labelled


@given(st.sets(st.integers(0, 50), min_size=1))
def test_numbers_count_from_zero_to_the_largest(numbers):
    classes, index = class_index(str(number) for number in numbers)
    assert classes == tuple(str(number) for number in range(max(numbers) + 1))
    assert index == {str(number): number for number in numbers}


@given(st.lists(st.text(min_size=1), min_size=1))
def test_names_are_sorted_and_each_has_one_label(names):
    names.append("cat")
    classes, index = class_index(names)
    assert classes == tuple(sorted(set(names)))
    assert all(classes[label] == name for name, label in index.items()) and len(index) == len(classes)


def test_one_name_among_numbers_makes_names_of_all():
    assert class_index(["10", "9", "x"]) == (("10", "9", "x"), {"10": 0, "9": 1, "x": 2})


@pytest.mark.parametrize("number", ["1000000", "1000000000000", "9" * 5000, "٩" * 12])
def test_a_number_that_no_class_has_is_refused_and_names_are_not_made_for_all_below(number):
    with pytest.raises(DataError, match="is no class's number: there may be 1,000,000"):
        class_index([number])


def where(record):
    return f"list.csv, line {record + 1}"


def taken(*values):
    found = labelled([label_text(value, where(at)) for at, value in enumerate(values)], where)
    return [found.classes[label] for label in found.indices], found.classes


@pytest.mark.parametrize(
    ("values", "texts", "classes"),
    [
        (("2", "10", "0"), ["2", "10", "0"], tuple(map(str, range(11)))),
        (("0.0", "1.0", "2."), ["0", "1", "2"], ("0", "1", "2")),
        ((0.0, 1.0), ["0", "1"], ("0", "1")),
        ((Decimal("2"), 1, 0), ["2", "1", "0"], ("0", "1", "2")),
        (("1e+01", "+2", "-0"), ["10", "2", "0"], tuple(map(str, range(11)))),
        (("1.000000000000000000e+00", "0.000000000000000000e+00"), ["1", "0"], ("0", "1")),  # numpy.savetxt's own
        (("1E2", "2E3", "1E2"), None, ("1E2", "2E3")),
        (("0x1F", "0x2A"), None, ("0x1F", "0x2A")),
        (("1_000", "2_000"), None, ("1_000", "2_000")),
        (("5", "1E2", "7"), None, ("1E2", "5", "7")),
        (("10", "2F", "33", "A7"), None, ("10", "2F", "33", "A7")),
        (("1e999", "1"), None, ("1", "1e999")),
        (("V27", "401", "038"), None, ("038", "401", "V27")),
        (("007", "7"), ["7", "7"], tuple(map(str, range(8)))),
        (("007", "012", "999"), None, ("007", "012", "999")),
        (("001", "002"), None, ("001", "002")),
        (("00", "01", "02"), ["0", "1", "2"], ("0", "1", "2")),
        (("0,0", "1,0", "2,0"), ["0", "1", "2"], ("0", "1", "2")),
        (("-1", "1", "-1"), None, ("-1", "1")),
        (("+1", "-1"), ["1", "-1"], ("-1", "1")),
        (("-1.0", "1.0"), ["-1", "1"], ("-1", "1")),
        (("٣", "0"), ["3", "0"], ("0", "1", "2", "3")),
        ((True, False), ["true", "false"], ("false", "true")),
        ((True, True), ["true", "true"], ("false", "true")),
        (("golden retriever", " tabby "), ["golden retriever", "tabby"], ("golden retriever", "tabby")),
        (("tench, Tinca tinca", "maillot", "maillot, tank suit"), None, None),
        ((b"cat", "dog"), ["cat", "dog"], ("cat", "dog")),
        (("e\u0301t", "\u00e9t"), ["\u00e9t", "\u00e9t"], ("\u00e9t",)),
        ((*"0123456789", "A", "B", "C"), None, (*"0123456789", "A", "B", "C")),
        (("golden\u00a0retriever", "golden retriever\u3000"), ["golden retriever"] * 2, ("golden retriever",)),
        (("\u0645\u06cc\u200c\u0631", "b"), None, ("b", "\u0645\u06cc\u200c\u0631")),
        (("none", "scratch", "na"), None, ("na", "none", "scratch")),
        (("class 1", "class 2", "class 10"), None, ("class 1", "class 10", "class 2")),
        (("rock & roll", "jazz"), None, ("jazz", "rock & roll")),
        (("n01", "n02", "404"), None, ("404", "n01", "n02")),
        ((str(MOST_CLASSES - 1),), [str(MOST_CLASSES - 1)], None),
    ],
)
def test_a_label_is_the_class_that_was_meant(values, texts, classes):
    found, all_classes = taken(*values)
    assert found == (list(map(str, values)) if texts is None else texts)
    assert classes is None or all_classes == classes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("cat", ""), "line 2 has the label ''.*give it one, or leave the record out"),
        (("cat", None), "line 2 has the label None"),
        ((0, float("nan")), "line 2 has the label nan"),
        (("nan", "0", "1"), "line 1 has the label 'nan'"),
        (("0", "1", "None", "null"), "line 3 has the label 'None'"),
        (("cat", " "), "line 2 has the label ''"),
        (("0", "N/A"), "line 2 has the label 'N/A'"),
        (("cat", "nan"), "line 2 has the label 'nan'.*give it one.*If a class is called so, say --as-classes"),
        (("None", "NA", "null", "cat"), "line 1 has the label 'None'.*--as-classes"),
        (("cat", "<NA>", "dog", "7"), "line 2 has the label '<NA>'"),
        ((0, -1), "line 2 has the label -1"),
        (("cat", "cat|dog"), "line 2: cat|dog is a list of several labels"),
        (("cat", "cat;dog"), "line 2: cat;dog is a list of several"),
        (("cat", "['cat', 'dog']"), "line 2: .* is a list of several"),
        (("[0. 1. 0.]",), "line 1: .* is a list of several"),
        (("(1, 2)",), "line 1: .* is a list of several"),
        (("0 1 0",), "line 1: 0 1 0 is a list of several"),
        (("1,5",), "line 1: the label 1,5 is a measurement with a decimal comma, or several labels"),
        (("0,5", "cat"), "line 1: 0,5 is a list of several labels.*--as-classes"),
        (("0,1,5",), "line 1: 0,1,5 is a list of several"),
        (("10", "20", "1O"), "line 3: the label 1O among 2 numbers.*--as-classes"),
        (("cat", "dog", "cat dog"), "line 3: cat dog is several labels in one"),
        (("cat", "dog", "cat,dog"), "line 3: cat,dog is several labels in one"),
        (("cat, dog", "dog, bird", "cat, bird"), "line 1: cat, dog is several labels in one"),
        (("cat", "dog", "cat+dog"), "several labels in one"),
        (("cat", "dog", "cat/dog"), "several labels in one"),
        ((["cat", "dog"],), r"line 1 has the label \['cat', 'dog'\]: several labels"),
        (({"name": "cat"},), "line 1 has the label .*several labels, or none"),
        ((np.array([0, 1]),), "several labels, or none"),
        ((0.5, 1.5), "the label 0.5 is a measurement .2 different numbers"),
        (("1.0", "3.25"), "line 2: the label 3.25 is a measurement"),
        (("0", "1", "unknown"), "line 3: the label unknown among 2 numbers. Write every label as a number"),
        (("1", "12", "x", "y"), "line 3: the label x among 2 numbers"),
        (("0", "1", "inf"), "line 3: the label inf among"),
        (("1e+999", "1"), "is no class's number"),
        ((10**12,), "line 1: the label 1000000000000 is no class's number"),
        (("cat", "cat\u200b"), r"line 2: the label cat.* has control or invisible characters"),
        (("ca\u2028t",), "invisible characters"),
        (("\ufeffcat",), "invisible characters"),
        (("two\nlines",), "control or invisible characters"),
        (("\x1b[31mred",), r"the label \\x1b\[31mred has control or invisible characters"),
        (("a" * 501,), "over 500 characters"),
        ((b"\xff",), "not UTF-8"),
    ],
)
def test_what_is_no_class_is_refused_with_its_place(values, message):
    with pytest.raises(DataError, match=message):
        taken(*values)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (range(3), ()),
        (
            range(1, 11),
            "class 0 has no images, and a network needs 11 outputs. For one of 10, subtract 1",
        ),
        ((0, 1, 5), "3 of the numbers 0 to 5 do not occur"),
        (("cat", "Cat", "dog"), "classes that differ in case, blanks or dashes alone: Cat, cat"),
        (("sea  lake", "sea lake", "dog"), "classes that differ in case, blanks or dashes alone: sea  lake, sea lake"),
        (("T-Shirt", "t_shirt", "shirt"), "classes that differ in case, blanks or dashes alone: T-Shirt, t_shirt"),
        (range(10), "every record has a label of its own"),
        ([*range(0, 60, 2), 0, 2], "30 different numbers, half of them of one image each: are they classes"),
        (("007", "012"), "labels are words, for not all are plain whole numbers without zeros in front: 007, 012 are"),
        (("007", "7"), "numbers with and without zeros before them are one class: 007"),
        (("01", "99", "100"), "labels are numbers, not codes, for they are not all of one width: 01 is 1"),
        (("clear road", "clear primary", "haze primary"), "labels share words (clear, primary)"),
    ],
)
def test_what_is_open_is_said(values, note):
    notes = labelled([str(value) for value in values], where).notes
    assert notes == () if note == () else any(note in said for said in notes)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (("cat", "dog", "cat dog"), ("cat", "cat dog", "dog")),
        (("cat|dog", "cat"), ("cat", "cat|dog")),
        (("[0, 1]", "[1]"), ("[0, 1]", "[1]")),
        (("0.5", "1.0", "1.5"), ("0.5", "1.0", "1.5")),
        (("0,5", "1,5"), ("0,5", "1,5")),
        (("0 1", "1 1"), ("0 1", "1 1")),
        (("10", "20", "1O"), ("10", "1O", "20")),
        (("cat", "NA", "None"), ("NA", "None", "cat")),
        (("0", "1", "NA"), ("0", "1", "NA")),
        (("2", "0", "1.0"), ("0", "1", "2")),
    ],
)
def test_whoever_says_that_they_are_classes_is_believed(values, classes):
    with pytest.raises(DataError) if values != ("2", "0", "1.0") else nullcontext():
        labelled(values, where)
    found = labelled(values, where, as_classes=True)
    assert found.classes == classes
    given = [found.classes[label] for label in found.indices]
    assert given == [value.removesuffix(".0") if classes == ("0", "1", "2") else value for value in values]


@pytest.mark.parametrize("values", [("None", "NA", "null", "cat"), ("nan", "cat", "<NA>"), ("NA", "DE", "12")])
def test_words_for_nothing_are_names_where_the_format_has_a_null(values):
    found = labelled(values, where, null=True)
    assert [found.classes[label] for label in found.indices] == list(values)
    assert any("taken as names of classes, not as missing labels: " in note for note in found.notes)
    with pytest.raises(DataError, match="--as-classes"):
        labelled(values, where)


def test_a_word_for_nothing_among_numbers_is_no_label_in_any_format():
    with pytest.raises(DataError, match=r"line 2 has the label 'NA'.*cannot be judged"):
        labelled(["0", "NA", "1"], where, null=True)


def test_an_empty_cell_is_no_class_whatever_the_user_says():
    with pytest.raises(DataError, match="line 2 has the label ''"):
        labelled(["cat", ""], where, as_classes=True)


@pytest.mark.parametrize(
    "values",
    [
        ["0", "1", "1,000"],
        ["0", "12,000", "1"],
        ["999", "1,000"],
        ["1,000", "2,000"],
        ["0", "1", "1.000"],
        ["997", "998", "999", "1.000", "2.000"],
    ],
)
def test_a_thousand_with_a_sign_is_not_taken_for_one(values):
    with pytest.raises(DataError, match=r"is a thousand, or \d+ with decimals. Write \d+000 or \d+\."):
        labelled(values, where)
    assert "1000" not in labelled(values, where, as_classes=True).classes


@pytest.mark.parametrize(
    "values",
    [["0,000", "1,000"], ["0.000", "1.000"], ["1.000", "2.000"], ["1,000", "2,0"], ["0,0", "1,000"], ["0.0", "1.000"]],
)
def test_decimals_that_can_be_nothing_else_are_whole_numbers(values):
    found = labelled(values, where)
    assert [found.classes[index] for index in found.indices] == [str(int(float(v.replace(",", ".")))) for v in values]
