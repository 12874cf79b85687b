from __future__ import annotations

import io
import json

import pytest

from evoray.errors import DataError
from evoray.ingest.records.json_kinds import check_lines
from evoray.ingest.records.tables import read_table

ONE_KIND = '{"a": 1, "b": {"c": [1, 2.5]}, "d": null}\n\n{"a": 2.5, "b": {"c": []}, "d": "x"}\n{"e": true}\n'
MIXED = {
    "number, text": ([1, "x"], 'column a holds a number in line 1, and a text in line 2.*in quotes \\("3"\\), or none'),
    "text, number": (["3", 3.5], "a holds a text in line 1, and a number in line 2.*in quotes"),
    "list, number": ([[1], 2], "a holds a list in line 1, and a number in line 2.*a list in every record"),
    "number, list": ([2, [1]], "a number in line 1, and a list in line 2.*a list in every record"),
    "null between": ([1, None, "x"], "a number in line 1, and a text in line 3"),
    "far apart": ([*range(20), True], "a number in line 1, and true or false in line 21.*1 for true and 0 for false"),
    "within a list": ([[1, "x"]], r"a \(inside its lists\) holds a number in line 1, and a text in line 1"),
    "in lists": ([["x"], [], [3]], r"a \(inside its lists\) holds a text in line 1, and a number in line 3"),
    "object": ([{"b": 1}, "b"], "a holds an object in line 1, and a text in line 2.*an object in every record"),
    "deep": ([{"b": [{"c": 1}]}, {"b": [{"c": "1"}]}], r"a\.b\.c \(inside its lists\) holds a number in line 1"),
}


@pytest.mark.parametrize("case", MIXED)
def test_a_column_of_two_kinds_says_where_and_what_to_do(tmp_path, case):
    values, says = MIXED[case]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"other": 0, "a": one}) + "\n" for one in values))
    with pytest.raises(DataError, match=says) as refused:
        read_table(tmp_path / "t.jsonl")
    assert "UTF-8" not in str(refused.value) and "t.jsonl" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"a": 1}\n{"a": 2\n{"a": 3}\n', "line 2 is no record by itself"),
        (b'{"a": 1}\n\n{"a": NaN}\n', "line 3 .*NaN is no number"),
        (b'{"a": "x"}\n{"a": "\xe9"}\n', "line 2 .*utf-8.*Write it in UTF-8"),
        (b"{'a': 1}\n", "line 1 .*double quotes"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        check_lines(io.BytesIO(content), "t.jsonl")


def test_one_kind_is_none_of_its_business():
    check_lines(io.BytesIO(b"\xef\xbb\xbf" + ONE_KIND.encode()), "t.jsonl")
