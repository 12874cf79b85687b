from __future__ import annotations

import io
import os
import tarfile

import pytest
from forms import make_tar

from evoray.errors import DataError
from evoray.ingest.sources.tars import inner_members, members, read_member

CONTENTS = {"a/1.jpg": b"one", "empty": b"", "b/" + "long" * 60 + ".png": bytes(range(256)) * 9, "last": b"\0"}


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_kind_of_tar_lists_its_files_where_they_are(kind, tmp_path):
    contents = {name[-90:]: content for name, content in CONTENTS.items()}
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=kind) as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    whole = path.read_bytes()
    found = list(members(path))
    assert [member.name for member in found] == list(contents)
    for member in found:
        assert whole[member.offset : member.offset + member.size] == contents[member.name]
        assert read_member(path, member) == contents[member.name]


def test_folders_and_links_are_no_files(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (("folder", tarfile.DIRTYPE), ("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "file"
            tar.addfile(info)
        tar.addfile(tarfile.TarInfo("file"))
    assert [member.name for member in members(path)] == ["file"]


def test_a_tar_in_a_tar_is_read_where_it_lies(tmp_path):
    inner = {f"{name}.tar": make_tar(tmp_path / "inner", {name: content}).read_bytes() for name, content in
             (("x", b"first"), ("y", b"second" * 100))}  # fmt: skip
    path = make_tar(tmp_path / "outer.tar", {"before": b"123", **inner})
    _, *outer = members(path)
    found = [member for one in outer for member in inner_members(path, one)]
    assert [(member.name, read_member(path, member)) for member in found] == [("x", b"first"), ("y", b"second" * 100)]


@pytest.mark.parametrize("length", [0, 100, 512, 513, 1000, 1111, 512 * 4, 512 * 4 + 1, 512 * 4 + 999])
def test_a_tar_that_was_cut_in_a_file_gives_no_wrong_bytes(length, tmp_path):
    """A header a file, its bytes behind it, each filled up to 512."""
    expected = {"a": b"x" * 600, "b": b"y" * 1000}
    path = make_tar(tmp_path / "a.tar", expected)
    path.write_bytes(path.read_bytes()[:length])
    read = {}

    def reads():
        for member in members(path):
            read[member.name] = read_member(path, member)

    with pytest.raises(
        DataError, match=r"a\.tar: (cut short in [ab]\. Copy it again|no plain tar, (or damaged|but an empty file))"
    ):
        reads()
    assert all(expected[name] == content for name, content in read.items())
    assert ("a" in read) == (length >= 512 * 4)


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_a_compressed_tar_says_to_unpack_it(mode, tmp_path):
    path = make_tar(tmp_path / "a.tar", CONTENTS, mode)
    with pytest.raises(DataError, match=r"a\.tar: no plain tar, but an? (gzip|xz|bzip2) file\. Unpack it first"):
        list(members(path))


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.tar: cannot be read \(No such file or directory\)"):
        list(members(tmp_path / "absent.tar"))


def test_an_inner_file_that_is_no_tar_is_named_with_the_outer(tmp_path):
    path = make_tar(tmp_path / "outer.tar", {"inner.tar": b"text" * 400})
    (outer,) = members(path)
    with pytest.raises(DataError, match=r"outer\.tar, inner\.tar: no plain tar"):
        list(inner_members(path, outer))


def without_end(path):
    """As a tar is that was cut between two files."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content.rstrip(b"\0")) + 511 & -512])
    return path


def test_a_tar_that_was_cut_between_two_files_is_no_whole_one(tmp_path):
    path = without_end(make_tar(tmp_path / "a.tar", {"a": b"x" * 600, "b": b"y" * 1000}))
    with pytest.raises(DataError, match=r"a\.tar: cut short: it ends without the two blocks of zeros"):
        list(members(path))


@pytest.mark.parametrize("kept", [1, 511])
def test_a_cut_in_the_blocks_of_zeros_is_one_too(kept, tmp_path):
    path = without_end(make_tar(tmp_path / "a.tar", {"a": b"x" * 600}))
    path.write_bytes(path.read_bytes() + bytes(kept))
    with pytest.raises(DataError, match="cut short"):
        list(members(path))


def test_one_block_of_zeros_ends_a_tar(tmp_path):
    path = without_end(make_tar(tmp_path / "a.tar", {"a": b"x" * 600}))
    path.write_bytes(path.read_bytes() + bytes(512))
    assert [member.name for member in members(path)] == ["a"]


def test_two_tars_in_one_file_are_not_read_as_the_first(tmp_path):
    first, second = (make_tar(tmp_path / f"{name}.tar", {name: b"x"}).read_bytes() for name in "ab")
    (tmp_path / "both.tar").write_bytes(first + second)
    with pytest.raises(DataError, match=r"both\.tar: damaged, or several tars in one file.*tar -i"):
        list(members(tmp_path / "both.tar"))


def test_a_damaged_header_is_no_end(tmp_path):
    """tarfile takes what is no header for the end."""
    path = make_tar(tmp_path / "a.tar", {"a": b"x" * 600, "b": b"y", "c": b"z"})
    content = bytearray(path.read_bytes())
    content[1536 + 148] ^= 1  # of b's checksum
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged, or several tars"):
        list(members(path))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_that_claims_gigabytes_is_not_read(kind, tmp_path):
    info = tarfile.TarInfo("name")
    info.type, info.size = kind, 7 * 2**30
    with open(tmp_path / "a.tar", "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(8 * 2**30)  # sparse
    with pytest.raises(DataError, match="a header of 7,516,192,768 bytes"):
        list(members(tmp_path / "a.tar"))


def test_a_member_with_holes_is_refused(tmp_path):
    info = tarfile.TarInfo("name")
    info.type = tarfile.GNUTYPE_SPARSE
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DataError, match=r"name has holes\. Pack it without -S"):
        list(members(tmp_path / "a.tar"))


def test_a_pipe_is_no_tar(tmp_path):
    os.mkfifo(tmp_path / "a.tar")
    with pytest.raises(DataError, match="not a regular file"):
        list(members(tmp_path / "a.tar"))


def test_an_empty_tar_has_no_members(tmp_path):
    assert list(members(make_tar(tmp_path / "a.tar", {}))) == []
