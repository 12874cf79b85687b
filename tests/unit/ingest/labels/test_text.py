"""A list's text, its count above, and what it is where it is none."""

from __future__ import annotations

import pytest
from listing import meant, scanned

from evoray.errors import DataError
from evoray.ingest.labels.text import read_text


def read(tmp_path, content):
    (tmp_path / "list").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_text(tmp_path / "list")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_lines_keep_their_ends_numbers_and_letters(encoding, tmp_path):
    text = read(tmp_path, "é,1\r\n\nb\u2028c,2\rd,3".encode(encoding))
    assert list(text.lines()) == ["é,1\r\n", "\n", "b\u2028c,2\r", "d,3"]
    assert list(text.numbered()) == [(1, "é,1"), (3, "b\u2028c,2"), (4, "d,3")]
    assert text.has("é") and text.has(",") and not text.has(";") and text.start.startswith("é")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "Excel or OpenDocument table. Save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel table"),
        (b"MATLAB 5.0 MAT-file, Platform", "a MATLAB file.*scipy.io.loadmat"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x93NUMPY\x01\0", "numpy.savetxt"),
        (b"\x1f\x8b\x08\0", "packed by gzip.*Unpack it"),
        (b"BZh91AY", "bzip2"),
        (b"PAR1\x15", "a Parquet file"),
        (b"\x80\x04\x95", "a pickle, and nothing in it is run"),
        (b"<?xml version", "XML. Write a line for each image"),
        (b"<annotation>\n", "XML"),
        (b"<!DOCTYPE html>", "a web page.*Fetch it again"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"a.jpg,\xe9\n", "cannot be read .*Save it as UTF-8"),
        (b"a\0b", "zero bytes"),
    ],
)
def test_what_is_no_text_is_told_and_what_to_do(content, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_lines_are_counted_as_they_end(tmp_path, monkeypatch):
    monkeypatch.setattr("evoray.ingest.labels.text.MOST_LINES", 3)
    for content in ("1\n2\n3\n", "1\r\n2\r\n3", "1\r2\r3\r"):
        assert len(list(read(tmp_path, content).lines())) == 3
    for content in ("1\n2\n3\n4", "1\r2\r3\r4\r", "\n\n\n\n"):
        with pytest.raises(DataError, match=r"more than 3 lines\. Cut it .*WebDataset or Parquet"):
            read(tmp_path, content)


COUNTED = {
    "2\na.jpg cat\nb.jpg dog\n": True,
    "2\r\na.jpg cat\r\nb.jpg dog\r\n": True,
    "2\nfilename label\na.jpg cat\nb.jpg dog\n": True,
    "2 \nfilename,label\na.jpg,cat\nb.jpg,dog": True,
    "9\na.jpg cat\nb.jpg dog\n": False,
    "2\n1\n0\n": False,
    "a.jpg cat\nb.jpg dog\n": False,
}


@pytest.mark.parametrize("content", COUNTED)
def test_a_count_above_is_none_of_the_lines(content, tmp_path):
    first = next(iter(read(tmp_path, content).lines())).strip()
    assert (first == "") is COUNTED[content]
    if COUNTED[content]:
        assert meant(scanned(tmp_path, content, ("a.jpg", "b.jpg"))) == {"a.jpg": "cat", "b.jpg": "dog"}


def test_the_first_lines_end_where_no_quote_is_open(tmp_path):
    text = read(tmp_path, 'a\n"b\nc",1\nd\n')
    assert (text.count, text.first(1).content, text.first(2).content) == (4, b"a\n", b'a\n"b\nc",1\n')
    assert text.first(2).count == 3 and text.first(9).content == text.content
