from __future__ import annotations

import pytest
from listing import meant, scanned

from evoray.errors import DataError
from evoray.ingest.cells.spreadsheet import no_class, unmarked

FILES = ("a.jpg", "b.jpg", "c.jpg")


def table(*labels, sign=","):
    rows = "".join(f"{name}{sign}{label}\n" for name, label in zip(FILES, labels, strict=True))
    return f"filename{sign}label\n{rows}"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('="001"', "001"),
        ("'007", "007"),
        ('=""', ""),
        ("'tis", "'tis"),
        ("=1+1", "=1+1"),
        ('="a"&"b"', '="a"&"b"'),
        ("", ""),
        ("'", "'"),
    ],
)
def test_the_mark_of_a_text_is_no_part_of_it(cell, text):
    assert unmarked(cell) == text


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ['="{}"', "'{}", "{}"])
def test_codes_that_a_spreadsheet_marks_are_codes(mark, sign, tmp_path):
    source = scanned(tmp_path, table(*(mark.format(code) for code in ("001", "002", "010")), sign=sign), FILES)
    assert meant(source) == {"a.jpg": "001", "b.jpg": "002", "c.jpg": "010"}


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        (table("x", "y", "x") + "filename,label\n", ("x", "y")),
        (table("x", "y", "x") + "filename,label\nelsewhere.jpg,z\n", ("x", "y", "z")),
        ("filename,label\na.jpg,0\nfilename,label\nb.jpg,1\nfilename,label\nc.jpg,0\n", ("0", "1")),
        (table(0, 1, 0) + "Total,3\n", ("0", "1")),
        (table("x", "y", "x") + "Grand Total:,3\n", ("x", "y")),
        ("filename,n,label\na.jpg,1,x\nb.jpg,2,y\nc.jpg,3,x\nsum,6,\n", ("x", "y")),
    ],
)
def test_headers_again_and_sums_are_no_records(text, classes, tmp_path):
    source = scanned(tmp_path, text, FILES)
    assert source.classes == classes and len(source.names) == 3
    assert any("header again" in note or "its last line is a sum" in note for note in source.notes)


@pytest.mark.parametrize("last", ["total.jpg,3", "mean,x", "d,average", "d,sum"])
def test_a_record_that_looks_a_little_like_a_sum_is_one(last, tmp_path):
    source = scanned(tmp_path, f"{table('x', 'y', 'x')}{last}\n", FILES)
    assert last.partition(",")[2] in source.classes
    assert not any("its last line" in note for note in source.notes)


def test_a_file_that_is_called_total_is_one(tmp_path):
    assert scanned(tmp_path, "filename,label\na.jpg,0\ntotal.jpg,1\ntotal,1\n", ("a.jpg", "total.jpg")).names == [
        "a.jpg",
        "total.jpg",
    ]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("cat", "#REF!", "dog"), "line 3: the label #REF! is an error of a spreadsheet's formula"),
        (("#DIV/0!", "cat", "dog"), "line 2: the label #DIV/0! is an error"),
        (("50%", "20%", "12,5%"), "line 2: the label 50% is a measurement in percent"),
        (("2024-01-02", "2024-01-03", "2024-01-02"), "line 2: the label 2024-01-02 is a date"),
        (("1/2/2024", "3/2/2024", "1/2/2024"), "line 2: the label 1/2/2024 is a date"),
        (("?", "cat", "dog"), "line 2: the label . is what people write where there is no label"),
        (("cat", "-", "dog"), "line 3: the label - is what people write"),
        (("True", "False", "1"), "line 4: the label 1 is true and false in numbers"),
        (("yes", "0", "no"), "line 3: the label 0 is true and false in numbers"),
    ],
)
def test_what_a_spreadsheet_leaves_for_a_label_is_refused_and_can_be_taken(labels, message, tmp_path):
    text = f"filename;label\n{''.join(f'{n};{label}' + chr(10) for n, label in zip(FILES, labels, strict=True))}"
    with pytest.raises(DataError, match=f"{message}.*--as-classes"):
        scanned(tmp_path, text, FILES)
    assert set(scanned(tmp_path, text, FILES, as_classes=True).classes) == set(labels)


@pytest.mark.parametrize(
    "names",
    [
        ["+", "-", "?"],
        ["a", "b", "-"],
        ["cat", "-"],
        ["#1", "#2"],
        ["50%", "half"],
        ["yes", "no"],
        ["TRUE", "FALSE"],
        ["2024-01-02"],
        ["1/2", "3/4"],
        ["v1.2.2024", "b"],
    ],
)
def test_what_may_well_be_classes_is_none_of_it(names):
    assert no_class(names) is None


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("tensor(2)", "tensor(10)", "tensor(0)"), "2 10 0"),
        (("np.int64(1)", "np.int64(0)", "np.int64(1)"), "1 0 1"),
        (("b'cat'", "b'dog'", "b'cat'"), "cat dog cat"),
        (("'cat'", "'dog'", "'cat'"), "cat dog cat"),
        (("“cat”", "“dog”", "“cat”"), "cat dog cat"),
    ],
)
def test_what_stands_around_every_label_is_no_part_of_it(labels, expected, tmp_path):
    source = scanned(tmp_path, table(*labels), FILES)
    assert " ".join(meant(source).values()) == expected
    assert source.classes[0] in ("0", "cat")
    assert any("what stands around each label" in note for note in source.notes)


@pytest.mark.parametrize("labels", [("'cat'", "dog", "'cat'"), ("b'x'", "tensor(1)", "y"), ("x'", "'y", "z")])
def test_what_stands_around_some_alone_stays(labels, tmp_path):
    assert tuple(meant(scanned(tmp_path, table(*labels), FILES)).values()) == labels


def test_no_number_among_names_is_no_label(tmp_path):
    with pytest.raises(DataError, match="line 4: the label -1 is what programs write where there is no label"):
        scanned(tmp_path, table("cat", "dog", "-1"), FILES)
    assert no_class(["-1", "1"]) is None and no_class(["-1", "0", "1"]) is None and no_class(["-1", "x"]) is None


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_a_sign_at_the_end_of_each_line_but_the_first_makes_no_column(sign, tmp_path):
    text = table(f"x{sign}", f"y{sign}", f"x{sign}", sign=sign)
    assert meant(scanned(tmp_path, text, FILES)) == {"a.jpg": "x", "b.jpg": "y", "c.jpg": "x"}
