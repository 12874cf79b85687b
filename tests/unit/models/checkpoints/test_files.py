from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pickle
import resource
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evoray.errors import ModelError
from evoray.models import load_into, parse_state, read_state, state_bytes, write_state
from evoray.models.checkpoints.files import read_checkpoint


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.safetensors", b"nonsense", "damaged"),
        ("a.pth", b"nonsense", "not a checkpoint"),
        ("a.bin", b"", "empty"),
        ("absent.pth", None, "no such file"),
    ],
)
def test_a_bad_checkpoint_is_named(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        read_state(tmp_path / name)
    assert name in str(caught.value)


def test_a_checkpoint_that_does_not_fit_lists_why(tmp_path):
    with pytest.raises(ModelError, match=r"missing bias; unexpected extra; weight is \(2, 4\)"):
        load_into(nn.Linear(4, 3), {"weight": torch.zeros(2, 4), "extra": torch.zeros(1)}, "file")


STATE = {"weight": torch.arange(12.0).view(3, 4), "steps": torch.tensor(7), "half": torch.ones(2, dtype=torch.bfloat16)}


def equal(found, expected):
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name]) and found[name].dtype == expected[name].dtype for name in expected
    )


def test_what_is_written_is_read_back_to_the_bit(tmp_path):
    write_state(tmp_path / "a.safetensors", STATE)
    assert equal(read_state(tmp_path / "a.safetensors"), STATE)
    assert equal(parse_state(state_bytes(STATE), "memory"), STATE)


def test_the_same_state_gives_the_same_bytes():
    assert state_bytes(STATE) == state_bytes(dict(reversed(STATE.items())))


def test_a_transposed_tensor_is_written_as_it_reads():
    turned = {"weight": STATE["weight"].T}
    assert equal(parse_state(state_bytes(turned), "memory"), {"weight": turned["weight"].contiguous()})


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state, "epoch": 3},
                                  lambda state: {"model": state}])  # fmt: skip
def test_pytorchs_usual_wrappings_are_looked_into(wrap, suffix, tmp_path):
    torch.save(wrap(STATE), tmp_path / f"a{suffix}")
    assert equal(read_state(tmp_path / f"a{suffix}"), STATE)


class Hostile:
    def __reduce__(self):
        return os.mkdir, (os.environ["HOSTILE"],)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("HOSTILE", str(tmp_path / "made"))
    torch.save({"weight": Hostile()}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"a\.pth: refused, it holds more than tensors and could run code"):
        read_state(tmp_path / "a.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.zeros(1)], {"state_dict": {}}])
def test_a_file_without_a_state_is_named(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"a\.pth: holds no state_dict\. Save model\.state_dict\(\)"):
        read_state(tmp_path / "a.pth")


def test_a_safetensors_file_cut_anywhere_is_named(tmp_path):
    whole = state_bytes(STATE)
    for length in range(0, len(whole), 7):
        with pytest.raises(ModelError, match=r"^origin: not a \.safetensors file, or damaged"):
            parse_state(whole[:length], "origin")


def test_a_folder_that_is_not_there_is_named_and_nothing_stays(tmp_path):
    with pytest.raises(ModelError, match=r"a\.safetensors: cannot be written"):
        write_state(tmp_path / "absent" / "a.safetensors", STATE)
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_fits_is_loaded_whole():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    state = {name: torch.full_like(tensor, 2) for name, tensor in model.state_dict().items()}
    load_into(model, state, "file")
    assert equal(model.state_dict(), state)


def test_of_many_problems_the_first_five_are_said():
    with pytest.raises(
        ModelError, match=r"^file: does not fit the model: missing 0\.weight;.* and 3 more\. Name the arch"
    ):
        load_into(nn.Sequential(*(nn.Linear(1, 1) for _ in range(4))), {}, "file")


# ---------------------------------------------------------------- kinds of files, whatever they are called

NAMES = ("a.pth", "a.PTH", "a.pt", "a.bin", "a.ckpt", "A.CKPT", "a.pth.tar", "a", "a.th", "a.safetensors", "ä b.pt")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["zip", "older", "safetensors"])
def test_a_file_is_what_its_first_bytes_say(name, way, tmp_path):
    if way == "safetensors":
        write_state(tmp_path / name, STATE)
    else:
        torch.save({"state_dict": STATE}, tmp_path / name, _use_new_zipfile_serialization=way == "zip")
    assert equal(read_state(tmp_path / name), STATE)


def npz(path):
    np.savez(path, a=np.zeros(3))


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.pth", b"x" * 100)


def tarred(path):
    (path.parent / "inner").write_bytes(b"x")
    with tarfile.open(path, "w") as archive:
        archive.add(path.parent / "inner", "inner")


def scripted(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02}.")
        archive.writestr("net/constants.pkl", b"\x80\x02).")


def exported(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/archive_format", b"pt2")


FOREIGN = [
    ("a.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS.*Run git lfs pull"),
    ("a.pth", b"<!DOCTYPE html><html>404</html>", "a web page"),
    ("a.safetensors", b"\n<?xml version='1.0'?><Error>", "a web page or XML"),
    ("a.pth", gzip.compress(b"x", mtime=0), r"compressed \(gzip\)\. Unpack it"),
    ("a.pth.tar", bz2.compress(b"x"), r"compressed \(bzip2\)\. Unpack it"),
    ("a.pth", lzma.compress(b"x"), r"compressed \(xz\)\. Unpack it"),
    ("a.pth", b"\x28\xb5\x2f\xfd" + bytes(9), r"compressed \(zstd\)\. Unpack it"),
    ("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5, as Keras writes it"),
    ("a.npy", b"\x93NUMPY\x01\x00" + bytes(99), "an array of NumPy"),
    ("a.npz", npz, "arrays of NumPy"),
    ("a.gguf", b"GGUF" + bytes(99), "GGUF"),
    ("a.zip", zipped, "a zip archive without a checkpoint"),
    ("a.pth.tar", tarred, "a tar archive. Unpack it, and name the file in it"),
    ("a.pt", scripted, "a TorchScript archive, a program and no state_dict"),
    ("a.pt2", exported, "a program of torch.export"),
    ("a.pkl", pickle.dumps({"a": 1}), "a plain pickle, which could run code"),
    ("a.json", b'{"a": 1}', "JSON without a weight_map"),
    ("a.json", b'{"a": ', "damaged, not JSON"),
    ("a.pth", b"\x00" * 4096, "not a checkpoint, or damaged"),
    ("a.onnx", b"\x08\x07\x12\x07pytorch", "not a checkpoint, or damaged"),
    ("a", b"", "empty. Fetch it again"),
    ("a.safetensors", b"\xff" * 64, r"not a \.safetensors file, or damaged"),
]


@pytest.mark.parametrize(("name", "content", "words"), FOREIGN)
def test_what_is_no_checkpoint_is_named_for_what_it_is(name, content, words, tmp_path):
    if callable(content):
        content(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}: .*{words}"):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize("kind", ["pipe", "device", "link to nothing", "nul"])
def test_what_is_no_file_is_never_waited_for(kind, tmp_path):
    path = tmp_path / "a.pth"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "link to nothing":
        path.symlink_to("absent")
    else:
        path = Path("a\0b")
    with pytest.raises(ModelError, match=r"not a regular file|no such file|cannot be read"):
        read_checkpoint(path)


# ---------------------------------------------------------------- folders and shards


def shards(folder, kind="safetensors", split=("weight", "steps,half")):
    """A sharded checkpoint; returns its index."""
    places = {}
    stem, suffix = ("model", ".safetensors") if kind == "safetensors" else ("pytorch_model", ".bin")
    for number, names in enumerate(split):
        file = f"{stem}-{number:05d}-of-{len(split):05d}{suffix}"
        part = {name: STATE[name] for name in names.split(",")}
        write_state(folder / file, part) if kind == "safetensors" else torch.save(part, folder / file)
        places |= dict.fromkeys(part, file)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_shards_are_read_together(kind, whole, tmp_path):
    index = shards(tmp_path, kind)
    assert equal(read_state(tmp_path if whole else index), STATE)


@pytest.mark.parametrize(
    "names",
    [["model.safetensors"], ["pytorch_model.bin"], ["best.pth"], ["x.CKPT"], ["model.safetensors", "pytorch_model.bin"],
     ["best.pth", "notes.txt"], ["model.safetensors", "optimizer.pt"]],
)  # fmt: skip
def test_a_folder_with_one_checkpoint_is_that_checkpoint(names, tmp_path):
    for name in names:
        write_state(tmp_path / name, STATE if name == names[0] else {"other": torch.zeros(1)})
    assert equal(read_state(tmp_path), STATE)


@pytest.mark.parametrize(
    ("names", "words"), [([], "no checkpoint"), (["a.pth", "b.pth"], r"several checkpoints \(a\.pth, b\.pth\)")]
)
def test_a_folder_with_none_or_several_is_named(names, words, tmp_path):
    for name in names:
        write_state(tmp_path / name, STATE)
    with pytest.raises(ModelError, match=rf"a folder with {words} in it\. Name the file"):
        read_state(tmp_path)


OUTSIDE = ("../model.safetensors", "/etc/passwd", "a/b.bin", "..", ".", "", "a\\b", "model.safetensors.index.json")


@pytest.mark.parametrize("file", OUTSIDE)
def test_shards_lie_beside_their_index(file, tmp_path):
    write_state(tmp_path / "model.safetensors", STATE)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"weight": file}}))
    with pytest.raises(ModelError, match=r"index\.json: names the shard"):
        read_state(folder)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"weight_map": {"weight": "absent.bin"}}, r"its shard absent\.bin is not there"),
        ({"weight_map": {"weight": "folder"}}, "its shard folder is not there"),
        ({"weight_map": {"weight": "other.json"}}, r"its shard other\.json is an index itself"),
        ({"weight_map": {"more": "whole.bin"}}, r"whole\.bin: (has no|lacks) more"),
        ({"weight_map": {}}, "JSON without a weight_map"),
        ({"weight_map": []}, "JSON without a weight_map"),
        ({"weight_map": {"weight": 3}}, "JSON without a weight_map"),
        ({"weight_map": {str(n): str(n) for n in range(20_000)}}, "20,000 shards, more than 10,000"),
        ([], "not a checkpoint"),
    ],
)
def test_an_index_that_is_wrong_is_one_message(document, words, tmp_path):
    write_state(tmp_path / "whole.bin", STATE)
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.json").write_text('{"weight_map": {"weight": "other.json"}}')
    (tmp_path / "x.index.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match=words):
        read_state(tmp_path / "x.index.json")


def test_an_index_of_json_in_json_is_one_message(tmp_path):
    (tmp_path / "x.index.json").write_text('{"weight_map": ' + "[" * 10**5 + "]" * 10**5 + "}")
    with pytest.raises(ModelError, match="nested deeper"):
        read_state(tmp_path / "x.index.json")


# ---------------------------------------------------------------- dishonest .safetensors


def with_header(header, data=bytes(16)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


DISHONEST = {
    "a header of 2^63 bytes": b"\xff" * 7 + b"\x7f{" + bytes(64),
    "a header of 17 MiB": with_header(b"{" + b" " * (17 * 2**20) + b"}"),
    "a name twice": with_header(b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
                                b'"a":{"dtype":"I32","shape":[4],"data_offsets":[0,16]}}'),
    "overlapping": with_header({"a": entry([4], 0, 16), "b": entry([2], 8, 16)}),
    "the same bytes": with_header({"a": entry([4], 0, 16), "b": entry([4], 0, 16)}),
    "a hole": with_header({"a": entry([1], 0, 4), "b": entry([1], 12, 16)}),
    "beyond the end": with_header({"a": entry([8], 0, 32)}),
    "a shape of 10^12": with_header({"a": entry([10**6, 10**6], 0, 16)}),
    "a shape that overflows": with_header({"a": entry([2**32, 2**32, 2**32], 0, 16)}),
    "a negative shape": with_header({"a": entry([-4], 0, 16)}),
    "a shape of text": with_header({"a": entry(["4"], 0, 16)}),
    "offsets turned round": with_header({"a": entry([4], 16, 0)}),
    "an unknown type": with_header({"a": entry([4], 0, 16, "Q99")}),
    "bytes left over": with_header({"a": entry([2], 0, 8)}),
    "a list": with_header([1, 2]),
    "metadata of numbers": with_header({"__metadata__": {"a": 1}, "a": entry([4], 0, 16)}),
    "deep": with_header(b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}"),
    "not UTF-8": with_header(b'{"\xff\xfe": 1}'),
    "NaN": with_header(b'{"a": NaN}'),
    "not JSON": with_header(b"{nonsense}"),
    "nothing in it": with_header({}, b""),
}  # fmt: skip


@pytest.mark.parametrize("name", DISHONEST)
def test_a_dishonest_safetensors_file_is_one_message(name, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(DISHONEST[name])
    with pytest.raises(ModelError, match=r"a\.safetensors: ") as caught:
        read_state(tmp_path / "a.safetensors")
    assert len(str(caught.value)) < 1000 and str(caught.value).isprintable()
    if name == "nothing in it":
        assert parse_state(DISHONEST[name], "memory") == {}
        return
    with pytest.raises(ModelError, match=r"^memory: "):
        parse_state(DISHONEST[name], "memory")


def test_a_name_that_steers_a_terminal_is_shown_plain(tmp_path):
    torch.save({"\x1b]0;x\x07": {}}, tmp_path / "a.pth")
    with pytest.raises(ModelError) as caught:
        read_state(tmp_path / "a.pth")
    assert str(caught.value).isprintable()


def test_a_whole_file_is_mapped_and_not_copied(tmp_path):
    """An optimizer's state of three times the network's size costs nothing."""
    torch.save({"state_dict": {"w": torch.zeros(4)}, "optimizer": {"a": torch.zeros(2**25)}}, tmp_path / "a.pth")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert list(read_state(tmp_path / "a.pth")) == ["w"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16
