from __future__ import annotations

import json

import pytest
from forms import FILES, make_tar
from listing import meant, scanned

from evoray.errors import DataError
from evoray.ingest.json_keys import parse_unique, repeated
from evoray.ingest.sources import open_source

FOUR = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "a": 2}', ("a", 1, 1)),
        ('{"a": 1,\n"b": 2,\n"a": 3}', ("a", 1, 3)),
        ('[{"a": 1},\n{"b": 1,\n"b": 2}]', ("b", 2, 3)),
        ('{"a": {"b": 1},\n"c": {"b": [{"b": 1}]},\n\n"c": 1}', ("c", 2, 4)),
        ('{"\\u0061": 1, "a": 2}', ("a", 1, 1)),
        ('{"a:{": "\\"b\\": [", "a:{": 1}', ("a:{", 1, 1)),
        ('{"a": "a", "b": ["a", "a"], "c": {"a": 1}}', ("", 0, 0)),
    ],
)
def test_the_key_and_both_lines_are_found(text, expected):
    assert repeated(text) == expected


@pytest.mark.parametrize("content", [b'\xef\xbb\xbf{"a": 1,\n"a": 1}', '{"a": 1,\n"a": 1}'])
def test_a_key_twice_is_refused_whatever_its_values(content):
    with pytest.raises(DataError, match=r"x\.json, line 2: the key a stands twice in one object, first in line 1"):
        parse_unique(content, "x.json")


@pytest.mark.parametrize("value", [{"a": {"a": 1}}, [{"a": 1}, {"a": 2}], {"a": "b", "b": "a"}, {}, 3])
def test_other_documents_are_read(value):
    assert parse_unique(json.dumps(value), "x.json") == value


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        (
            "l.json",
            '{"a.jpg": "cat", "b.jpg": "dog",\n"c.jpg": "cat",\n"a.jpg": "dog", "d.jpg": "cat"}',
            "line 3: .*a.jpg",
        ),
        ("l.json", '{"cat": ["a.jpg"],\n"dog": ["b.jpg", "c.jpg"],\n"cat": ["d.jpg"]}', "line 3: the key cat"),
        (
            "l.json",
            '[{"file": "a.jpg", "label": "x"},\n{"file": "b.jpg", "label": "x", "label": "y"}]',
            "line 2: .*label",
        ),
        (
            "l.jsonl",
            '{"file": "a.jpg", "label": "x"}\n{"file": "b.jpg", "label": "x", "label": "y"}\n',
            "line 2: .*label",
        ),
        ("l.json", '{"a.jpg": {"label": 1},\n"b.jpg": {"label": 1, "label": 2}}', "line 2: the key label"),
        (
            "l.json",
            '{"file": {"0": "a.jpg", "1": "b.jpg"},\n"label": {"0": "x", "1": "y", "1": "z"}}',
            "line 2: the key 1",
        ),
    ],
)
def test_a_list_with_a_key_twice_is_refused(name, text, place, tmp_path):
    with pytest.raises(DataError, match=f"{name}, {place}"):
        scanned(tmp_path, text, FOUR, name)


def test_a_file_of_names_with_a_key_twice_is_refused(tmp_path):
    names = {"classes.json": '{"001": "cat",\n"002": "dog",\n"001": "owl"}'}
    with pytest.raises(DataError, match=r"classes\.json, line 3: the key 001 stands twice"):
        scanned(tmp_path, "1\n1\n2\n2\n", FOUR, beside=names)


def test_a_list_of_json_without_one_is_read_as_before(tmp_path):
    source = scanned(tmp_path, '{"a.jpg": "x", "b.jpg": "y", "c.jpg": "x", "d.jpg": "y"}', FOUR, "l.json")
    assert meant(source) == {"a.jpg": "x", "b.jpg": "y", "c.jpg": "x", "d.jpg": "y"}


@pytest.mark.parametrize("text", [b'{"label": 1, "label": 2}', b'{"label": 1, "box": {"x": 1, "x": 2}}'])
def test_a_record_of_a_webdataset_with_a_key_twice_is_refused(text, tmp_path):
    tar = make_tar(tmp_path / "a.tar", {"1.jpg": next(iter(FILES.values())), "1.json": text})
    with pytest.raises(DataError, match=r"1\.json: the key (label|x) stands twice"):
        open_source(str(tar))
