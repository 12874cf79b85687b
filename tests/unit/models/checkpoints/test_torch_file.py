"""Files of torch.save: no code of theirs is run, whatever lies beside the tensors, and memory stays bounded."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import enum
import functools
import os
import pathlib
import pickle
import random
import resource
import struct
import subprocess
import sys
import threading
import types
import zipfile

import numpy as np
import pytest
import torch
from checkpoints import Net, rewritten, same, state
from torch import nn

from evoray.errors import ModelError
from evoray.models import Parent
from evoray.models.checkpoints.files import read_checkpoint, read_state
from evoray.models.checkpoints.fitting import choose, install, said
from evoray.models.checkpoints.torch_file import load_torch, stand_in, tensors_in

STATE = state(1)


class Config(dict):
    """A class of the user's that is a dictionary, by another name."""


class AttributeDict(dict):
    """As Lightning keeps hyper_parameters in."""


class Settings:
    def __init__(self):
        self.lr = 0.1


class Stage(enum.Enum):
    FIT = "fit"


def equal(found, expected=STATE):
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


BESIDE = {
    "namespace": argparse.Namespace(lr=0.1, path=pathlib.Path("x"), nested=argparse.Namespace(a=1)),
    "path": pathlib.PurePosixPath("/a/b"),
    "simple": types.SimpleNamespace(a=1),
    "numpy number": np.float64(71.2),
    "numpy array": np.arange(6.0).reshape(2, 3),
    "numpy type": np.dtype("float32"),
    "numpy generator": np.random.RandomState(0).get_state(),
    "date": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    "duration": datetime.timedelta(3),
    "default dictionary": collections.defaultdict(list, {"loss": [1.0, 2.0]}),
    "counter": collections.Counter("abc"),
    "queue": collections.deque([1, 2], maxlen=3),
    "decimal": decimal.Decimal("0.1"),
    "frozen set": frozenset({1, 2}),
    "set": {1, 2},
    "slice": slice(1, 2),
    "bytes": b"abc",
    "version": torch.__version__,
    "torch type": torch.float16,
    "device": torch.device("cuda:0"),
    "class": torch.optim.AdamW,
    "function": torch.nn.functional.relu,
    "partial": functools.partial(torch.optim.SGD, lr=0.1),
    "loss": nn.CrossEntropyLoss(weight=torch.ones(3)),
    "dictionary of Lightning": AttributeDict(lr=0.1, sizes=[1, 2]),
    "object of a user": Settings(),
    "dictionary of a user": Config(lr=0.1, deep=Config(a=[1])),
    "dictionary and objects": [Config(lr=0.1), Settings(), np.float64(1), argparse.Namespace(a=Config(b=1))],
    "parent of EvoRay": Parent(nn.Identity()),
    "optimizer": torch.optim.Adam([nn.Parameter(torch.zeros(2))]).state_dict(),
    "none": None,
    "complex": 1j,
    "long": 2**200,
    "tuple": ((), [], {}, "", -1, 1e300, True),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_lies_beside_the_tensors_is_not_needed(name, tmp_path):
    torch.save({"state_dict": STATE, "beside": BESIDE[name]}, tmp_path / "a.ckpt")
    assert equal(read_state(tmp_path / "a.ckpt"))


def test_a_lightning_checkpoint(tmp_path):
    content = {
        "epoch": 3, "global_step": 100, "pytorch-lightning_version": "2.5.0", "loops": {"fit": {"state_dict": {}}},
        "state_dict": {f"model.{name}": one for name, one in STATE.items()} | {"criterion.weight": torch.ones(3)},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_path": "x", "best": torch.tensor(1.0)}},
        "optimizer_states": [torch.optim.Adam([nn.Parameter(torch.zeros(2))]).state_dict()], "lr_schedulers": [],
        "hparams_name": "kwargs", "hyper_parameters": AttributeDict(lr=0.1, args=argparse.Namespace(a=1)),
    }  # fmt: skip
    torch.save(content, tmp_path / "a.ckpt")
    model, found = Net(), read_checkpoint(tmp_path / "a.ckpt")
    chosen = choose(model, found, None, "a.ckpt")
    install(model, chosen, "a.ckpt")
    assert same(model, STATE)
    assert said(chosen, found, None, "a.ckpt") == (
        'a.ckpt: took state_dict; stripped "model."; ignored criterion.weight, epoch, global_step, '
        "pytorch-lightning_version, loops and 5 more"
    )


class Hostile:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def made(path):
    pathlib.Path(path).mkdir()


CALLS = {
    "system": lambda path: (os.system, f"mkdir {path}"),
    "mkdir": lambda path: (os.mkdir, path),
    "eval": lambda path: (eval, f"__import__('os').mkdir({path!r})"),
    "exec": lambda path: (exec, f"import os; os.mkdir({path!r})"),
    "subprocess": lambda path: (subprocess.call, ["mkdir", path]),
    "pickle": lambda path: (pickle.loads, pickle.dumps(Hostile(os.mkdir, path))),
    "import": lambda path: (__import__, "os"),
    "getattr": lambda path: (getattr, path, "upper"),
    "torch.load": lambda path: (torch.load, path),
    "hub": lambda path: (torch.hub.load, path),
    "a user's": lambda path: (made, path),
    "enumeration": lambda path: (Stage, "fit"),
}


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_a_file_that_would_call_something_is_refused(name, old, tmp_path):
    content = {"state_dict": STATE, "beside": Hostile(*CALLS[name](str(tmp_path / "made")))}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=not old)
    with pytest.raises(
        ModelError, match=r"a\.pth: refused, it holds more than tensors and could run code \((would|Try)"
    ):
        read_state(tmp_path / "a.pth")
    assert not (tmp_path / "made").exists()


def test_a_stand_in_holds_nothing_and_runs_nothing():
    kind = stand_in("os.system")
    with pytest.raises(pickle.UnpicklingError, match=r"would call os\.system"):
        kind("ls")
    harmless = stand_in("argparse.Namespace")(a=1)
    harmless.__setstate__({"a": 1})
    assert not vars(harmless)


def test_torchs_list_of_safe_names_is_as_it_was(tmp_path):
    torch.save({"state_dict": STATE, "a": argparse.Namespace()}, tmp_path / "a.pth")
    before = set(torch.serialization.get_safe_globals())
    with torch.serialization.safe_globals([argparse.Namespace]):
        read_state(tmp_path / "a.pth")
        assert argparse.Namespace in torch.serialization.get_safe_globals()
    assert set(torch.serialization.get_safe_globals()) == before


def test_several_threads_read_at_once(tmp_path):
    torch.save({"state_dict": STATE, "a": argparse.Namespace(), "s": Settings()}, tmp_path / "a.pth")
    found = []
    threads = [threading.Thread(target=lambda: found.append(read_state(tmp_path / "a.pth"))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 8 and all(equal(one) for one in found)


def test_a_file_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(STATE, tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert equal(read_state(tmp_path / "a.pth"))


def test_a_big_endian_file_is_read(tmp_path):
    """Written on such a machine; a member of its own says so."""
    torch.save({"w": torch.arange(4.0)}, tmp_path / "a.whole")
    swapped = torch.arange(4.0).numpy().byteswap().tobytes()
    members = {"byteorder": b"big", "0": swapped}
    change = lambda name, content: members.get(name.rpartition("/")[2], content)  # noqa: E731
    rewritten(tmp_path / "a.whole", tmp_path / "a.pth", change)
    assert read_state(tmp_path / "a.pth")["w"].tolist() == [0.0, 1.0, 2.0, 3.0]


# ---------------------------------------------------------------- dishonest files


@pytest.mark.parametrize("seed", range(120))
@pytest.mark.parametrize("old", [False, True])
def test_a_file_with_bytes_changed_is_read_or_one_message(old, seed, tmp_path):
    saved = {"state_dict": STATE, "a": argparse.Namespace(x=1)}
    torch.save(saved, tmp_path / "a", _use_new_zipfile_serialization=not old)
    content, chance = bytearray((tmp_path / "a").read_bytes()), random.Random(seed)
    for _ in range(chance.choice([1, 2, 8])):
        at = chance.randrange(len(content))
        content[at : at + chance.choice([0, 1, 9])] = chance.randbytes(chance.choice([0, 1, 9]))
    (tmp_path / "a").write_bytes(content)
    found, message = {}, ""
    try:
        found = read_state(tmp_path / "a")
    except ModelError as error:
        message = str(error)
    assert all(one.numel() < 1000 for one in found.values()) and (found or message)
    assert len(message) < 1500 and (message.isprintable())


def pickled(path, content: bytes):
    """A torch.save file with this pickle in place of its own."""
    torch.save(STATE, path.with_suffix(".whole"))
    return rewritten(path.with_suffix(".whole"), path, lambda name, old: content if name.endswith("data.pkl") else old)


def with_number(path, old: bytes, new: int):
    """A torch.save file of 12 values with one of its numbers changed."""
    torch.save({"weight": torch.arange(12.0).view(3, 4)}, path.with_suffix(".whole"))
    number = b"J" + struct.pack("<i", new)
    change = lambda name, content: content.replace(old, number, 1) if name.endswith("data.pkl") else content  # noqa: E731
    return rewritten(path.with_suffix(".whole"), path, change)


TWO_GIB = b"J" + struct.pack("<i", 2**31 - 1)
PICKLES = {
    "two million sets": b"\x80\x02" + b"\x8f" * (2 * 2**20) + b".",
    "a bytearray of 2 GiB": b"\x80\x02cbuiltins\nbytearray\n" + TWO_GIB + b"\x85R.",
    "Python 2's bytearray": b"\x80\x02c__builtin__\nbytearray\n" + TWO_GIB + b"\x85R.",
    "a tensor of 2^31 values": b"\x80\x02ctorch\nFloatTensor\n" + TWO_GIB + b"\x85R.",
    "a storage of 2 GiB": b"\x80\x02ctorch.storage\nUntypedStorage\n" + TWO_GIB + b"\x85R.",
    "a number of 2 GiB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "a text of 2 GiB": b"\x80\x02X\xff\xff\xff\x7f.",
    "100,000 lists in lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "doubling references": b"\x80\x02]q\x00"
    + b"".join(b"]q" + bytes([i + 1]) + (b"h" + bytes([i]) + b"a") * 2 for i in range(200))
    + b".",
    "a dictionary in itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    "marks only": b"\x80\x02" + b"(" * 1000 + b".",
    "no end": b"\x80\x02}",
    "nothing": b"",
    "an unknown operation": b"\x80\x02\xff.",
    "a reference to nothing": b"\x80\x02h\x07.",
    "a name that is no UTF-8": b"\x80\x02c\xff\xfe\n\xff\n.",
    "a name of a mebibyte": b"\x80\x02c" + b"a" * 2**20 + b"\nb\n.",
    "protocol 0": b"(dp0\n.",
    "protocol 5": pickle.dumps({"a": 1}, protocol=5),
    "a tuple for a state": b"\x80\x02ccollections\nOrderedDict\n)R(K\x01K\x02tb.",
}


@pytest.mark.parametrize("name", PICKLES)
def test_a_dishonest_pickle_is_one_message(name, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=r"a\.pth: ") as caught:
        read_state(pickled(tmp_path / "a.pth", PICKLES[name]))
    assert len(str(caught.value)) < 1000 and str(caught.value).isprintable()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # of KiB: a GiB


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"K\x0c", 10**9), (b"K\x0c", 13), (b"K\x0c", -5), (b"K\x0c", 0), (b"K\x03K\x04\x86", 5), (b"K\x03", 2**31 - 1),
     (b"K\x04", 2**30), (b"K\x03", -1), (b"K\x00", 10**6), (b"K\x00", -1), (b"K\x01\x86", 10**9)],
)  # fmt: skip
def test_a_number_that_lies_is_one_message(old, new, tmp_path):
    with pytest.raises(ModelError, match=r"a\.pth: "):
        read_state(with_number(tmp_path / "a.pth", old, new))


@pytest.mark.parametrize("behind", [b"", bytes(1000)])
def test_an_older_file_that_leaves_out_its_values_is_refused(behind, tmp_path):
    """They would be whatever lay in memory."""
    torch.save({"w": torch.arange(12.0)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "a.pth").read_bytes()
    values = content[-48 - 8 :]
    keys = content[content.rindex(b"\x80\x02]") : -len(values)]
    (tmp_path / "a.pth").write_bytes(content.removesuffix(keys + values) + b"\x80\x02]." + behind)
    with pytest.raises(ModelError, match="damaged"):
        read_state(tmp_path / "a.pth")


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("shape", [(10**6, 10**6), (2**40,), (3, 2**33)])
def test_a_tensor_of_more_values_than_its_storage_is_refused(shape, old, tmp_path):
    torch.save({"w": torch.zeros(1).expand(shape)}, tmp_path / "a.pth", _use_new_zipfile_serialization=not old)
    with pytest.raises(ModelError, match=r"its tensors claim [\d,]+ bytes and the file has"):
        read_state(tmp_path / "a.pth")


def test_many_views_of_one_storage_are_refused(tmp_path):
    whole = torch.zeros(2**18)
    torch.save({str(index): whole[index:] for index in range(100)}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match="its tensors claim"):
        read_state(tmp_path / "a.pth")


def test_views_of_one_storage_are_read(tmp_path):
    whole = torch.arange(100.0)
    torch.save({str(index): whole[index : index + 10] for index in range(0, 100, 10)}, tmp_path / "a.pth")
    assert torch.equal(torch.cat(list(read_state(tmp_path / "a.pth").values())), whole)


@pytest.mark.parametrize("way", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused(way, tmp_path):
    """100 MiB of zeros in 100 KiB."""
    torch.save({"w": torch.zeros(2**18)}, tmp_path / "a.whole")
    rewritten(tmp_path / "a.whole", tmp_path / "a.pth", lambda _, content: content, way)
    with pytest.raises(ModelError, match="compressed or encrypted, which torch"):
        read_state(tmp_path / "a.pth")


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("old", [False, True])
def test_a_file_that_is_cut_is_one_message(at, old, tmp_path):
    torch.save(STATE, tmp_path / "a.pth", _use_new_zipfile_serialization=not old)
    content = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(content[: int(len(content) * at)])
    with pytest.raises(ModelError, match=r"a\.pth: .*(damaged|not a checkpoint)"):
        read_state(tmp_path / "a.pth")


def test_overlapping_and_repeated_members_are_refused(tmp_path):
    torch.save(STATE, tmp_path / "a.whole")
    for name in ("a/data/0", "a/more"):
        with zipfile.ZipFile(tmp_path / "a.whole") as old, zipfile.ZipFile(tmp_path / "a.pth", "w") as new:
            for member in old.infolist():
                new.writestr(member.filename, old.read(member))
            if name == "a/more":
                big = new.infolist()[-1]
                big.file_size = big.compress_size = 10**12
            else:
                with pytest.warns(UserWarning, match="Duplicate name"):
                    new.writestr(new.infolist()[-1].filename, b"")
        with pytest.raises(ModelError, match=r"damaged"):
            read_state(tmp_path / "a.pth")


def test_a_list_of_members_that_is_huge_is_refused(tmp_path):
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 2**31, 0, 0)
    (tmp_path / "a.pth").write_bytes(b"PK\x03\x04" + bytes(100) + end)
    with pytest.raises(ModelError, match=r"its list of members has 2,147,483,648 bytes"):
        load_torch(tmp_path / "a.pth")


def test_tensors_of_shared_and_circular_content_are_told_once():
    one = torch.zeros(1)
    content: dict[str, object] = {"a": one, "b": [one, (one, {"c": torch.ones(1)})]}
    content["self"] = content
    assert len(list(tensors_in(content))) == 2


def test_nothing_is_printed_and_no_process_state_changes(tmp_path, capfd):
    torch.save({"state_dict": STATE, "a": argparse.Namespace()}, tmp_path / "a.pth")
    before = (len(sys.modules), torch.get_rng_state().sum(), torch.get_num_threads())
    read_state(tmp_path / "a.pth")
    assert capfd.readouterr() == ("", "")
    assert (len(sys.modules), torch.get_rng_state().sum(), torch.get_num_threads()) == before
