"""What is read is bounded, and what is shown is plain."""

import os
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from evoray.errors import DataError, ModelError
from evoray.runtime.reading import checked, parse_json, read_file, reason_of, shown, translated


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


class Inner(BaseModel):
    nll: Annotated[float, Field(allow_inf_nan=False, strict=True)] | None = None
    kind: Literal["a", "b"] = "a"


class Told(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(strict=True, max_length=5)]
    rows: Annotated[int, Field(strict=True, ge=0, lt=10_000)] = 0
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    on: Annotated[bool, Field(strict=True)] = True
    files: Annotated[list[str], Field(max_length=2)] = []
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "name is missing"),
        ({"name": 3}, "name = 3: a text is expected"),
        ({"name": None}, "name = None: a text is expected"),
        ({"name": "longer"}, "name = 'longer': a text of at most 5 characters is expected"),
        ({"rows": "3"}, "rows = '3': a whole number is expected"),
        ({"rows": 1.5}, "rows = 1.5: a whole number is expected"),
        ({"rows": -1}, "rows = -1: a number of at least 0 is expected"),
        ({"rows": 10**6}, "rows = 1000000: a number below 10,000 is expected"),
        ({"rows": []}, "rows = a list: a whole number is expected"),
        ({"share": "much"}, "share = 'much': a number is expected"),
        ({"share": 0}, r"share = 0: a number above 0.* is expected"),
        ({"share": 2}, r"share = 2: a number of at most 1.* is expected"),
        ({"on": 1}, "on = 1: true or false is expected"),
        ({"files": "x"}, "files = 'x': a list is expected"),
        ({"files": ["x", 1]}, r"files\.1 = 1: a text is expected"),
        ({"files": ["x"] * 3}, "files = a list: a list of at most 2 entries is expected"),
        ({"inner": []}, "inner: a list where an object is expected"),
        ({"inner": {"nll": "x"}}, r"inner\.nll = 'x': a number is expected"),
        ({"inner": {"nll": float("nan")}}, r"inner\.nll = nan: a finite number is expected"),
        ({"inner": {"kind": "c"}}, r"inner\.kind = 'c': 'a' or 'b' is expected"),
        ({"other": 1}, "other is a key that no such file has"),
        ([], "the document: a list where an object is expected"),
        (None, "the document: null where an object is expected"),
    ],
)
def test_a_wrong_value_of_a_document_is_said_in_plain_words(value: object, said: str) -> None:
    value = {"name": "x", **value} if isinstance(value, dict) and value else value
    with pytest.raises(DataError, match=rf"^summary\.json: damaged \({said}\)\. Take another\.$") as caught:
        checked(Told, value, "summary.json", "Take another.")
    assert not any(word in str(caught.value) for word in ("Input should", "Field required", "valid ", "pydantic"))


def test_a_library_that_was_refused_memory_is_said_to_have_been() -> None:
    assert "memory is short" in reason_of(RuntimeError("could not create a primitive"))
    assert reason_of(RuntimeError("shapes\ndiffer")) == "RuntimeError: shapes differ"


def test_memory_that_was_refused_is_no_files_fault() -> None:
    with pytest.raises(ImportError), translated("a file", "remedy"):
        raise ImportError("_backend_agg.so: failed to map segment from shared object")
    with pytest.raises(DataError, match="a file: damaged"), translated("a file", "remedy"):
        raise MemoryError("an array of 2**60 numbers, as the file says")
