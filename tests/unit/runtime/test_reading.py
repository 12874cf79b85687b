"""What is read is bounded, and what is shown is plain."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.errors import DataError, ModelError
from evoray.runtime.reading import parse_json, read_file, shown


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_file(tmp_path / "a", 5) == b"12345"


@pytest.mark.parametrize("make", ["missing", "folder", "pipe", "large", "nul", "device"])
def test_anything_else_is_refused_at_once(tmp_path: Path, make: str) -> None:
    path = tmp_path / "it"
    if make == "folder":
        path.mkdir()
    elif make == "pipe":
        os.mkfifo(path)
    elif make == "large":
        with open(path, "wb") as file:
            file.truncate(2**40)
    elif make == "nul":
        path = tmp_path / "a\0b"
    elif make == "device":
        path = Path("/dev/zero")
    with pytest.raises(ModelError, match=r"it|zero|a\\x00b"):
        read_file(path, 5, ModelError)


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff", b"[" * 100_000, b"NaN", b'{"a": Infinity}', b"[" * 65 + b"]" * 65, b"1" * 5000, b""],
)
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^the file: damaged"):
        parse_json(content, "the file")


def test_a_document_may_have_a_byte_order_mark() -> None:
    assert parse_json('\ufeff{"a": [1]}'.encode(), "it") == {"a": [1]}


@given(st.text())
def test_nothing_that_steers_a_terminal_is_shown(text: str) -> None:
    plain = shown(text, 40)
    assert len(plain) <= 40
    assert plain.isprintable() or not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in plain)
    plain.encode()
