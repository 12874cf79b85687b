"""Files of ``torch.save``, read without running what is in them, in bounded memory.

torch's own unpickler (``weights_only``) makes nothing but tensors and plain containers. What else lies beside the
tensors (``argparse.Namespace``, a path, a number of NumPy, a configuration object) is replaced by a stand-in that
holds nothing: its class is never imported and never called. A file that would call a function is refused.
"""

from __future__ import annotations

import os
import pickle
import pickletools
import threading
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor

from evoray.errors import ModelError
from evoray.runtime.reading import shown

PICKLE_BYTES = 16 * 2**20
"""Of names, shapes and what lies beside the tensors: a thousand tensors with their optimizer's state take 1 MiB."""
PICKLE_COST = 2_000_000
"""Of its operations, each of about 100 bytes and 5 µs; a tensor takes about 60."""
DIRECTORY_BYTES = 64 * 2**20
MAGIC = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
"""torch's number at the head of files from before its zip format."""
COSTS = {"REDUCE": 10, "BINPERSID": 5, "EMPTY_SET": 3, "NEWOBJ": 3}
SAVE_AGAIN = "Save model.state_dict() by torch.save, or as .safetensors."

CALLABLE = (
    "argparse.Namespace", "types.SimpleNamespace", "pathlib.", "collections.defaultdict", "collections.deque",
    "datetime.", "builtins.frozenset", "builtins.slice", "builtins.range", "decimal.Decimal", "fractions.Fraction",
    "uuid.UUID", "copyreg._reconstructor", "functools.partial",
    "numpy.core.multiarray.", "numpy._core.multiarray.", "numpy.dtype", "numpy.dtypes.", "numpy.ndarray",
    "numpy.random.", "torch.torch_version.TorchVersion", "omegaconf.", "yacs.config.", "easydict.", "addict.",
)  # fmt: skip
"""Names whose call stands for a plain value; it gives a stand-in. Calling any other name is refused."""
MAPPINGS = ("dict", "cfgnode", "munch", "box")
"""Ends of the names of classes that are dictionaries."""

_LOCK = threading.Lock()


def load_torch(path: Path) -> Any:
    """What ``torch.save`` wrote, zip or older, its tensors mapped from the file where it allows that.

    Raises:
        ModelError: no such file's format, damaged, dishonest, or more than tensors and plain values.
    """
    with open(path, "rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        try:
            named, held = _look_into_archive(file, path) if zipped else _look_into_older(file, path)
        except ModelError:
            raise
        except Exception as error:  # of parsers of untrusted bytes: anything
            reason = shown(error)
            raise ModelError(f"{shown(path)}: damaged, not a file of torch.save ({reason}). Fetch it again.") from None
    content = _load(path, named, zipped)
    if _extent(content) > held:
        raise ModelError(f"{shown(path)}: damaged, its tensors claim more than its bytes. Fetch it again.")
    return content


def tensors_in(content: Any) -> Iterator[Tensor]:
    """Every tensor of nested dictionaries and lists once; shared and circular references end."""
    seen: set[int] = set()
    stack = [content]
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, Mapping):
            stack += one.values()
        elif isinstance(one, list | tuple | set):
            stack += one


def _extent(content: Any) -> int:
    """Bytes that the tensors' storages take together; views of one storage count once."""
    dense = [one for one in tensors_in(content) if one.layout is torch.strided and not one.is_meta]
    storages = [(one.untyped_storage().data_ptr(), one.untyped_storage().nbytes()) for one in dense]
    total = end = 0
    for start, size in sorted(storages):
        total += max(0, start + size - max(start, end))
        end = max(end, start + size)
    return total


def _load(path: Path, named: set[str], zipped: bool) -> Any:
    try:
        try:
            return _loaded(path, named, zipped, StandIn)
        except pickle.UnpicklingError as error:
            if "SETITEM" not in str(error):
                raise
            return _loaded(path, named, zipped, MappingStandIn)
    except pickle.UnpicklingError as error:
        reason = shown(_reason(str(error)))
        raise ModelError(
            f"{shown(path)}: refused, it holds more than tensors and could run code ({reason}). "
            "Save model.state_dict() as .safetensors where you trust the file."
        ) from None
    except Exception as error:  # of a parser of untrusted bytes: anything, KeyError and RecursionError included
        raise ModelError(
            f"{shown(path)}: not a PyTorch checkpoint, or damaged "
            f"({type(error).__name__}: {shown(_reason(str(error)))}). Fetch it again."
        ) from None


def _loaded(path: Path, named: set[str], zipped: bool, base: type[StandIn]) -> Any:
    known: list[Any] = [(stand_in(name, base), name) for name in sorted(named)]
    with open(path, "rb") as file, _LOCK, torch.serialization.safe_globals(known):
        # by number, for torch takes whatever is called .safetensors for such a file
        source = f"/dev/fd/{file.fileno()}" if zipped else file
        content = torch.load(source, map_location="cpu", weights_only=True, mmap=zipped)
        if not zipped and file.tell() != os.fstat(file.fileno()).st_size:
            raise ValueError("bytes are left over behind its last tensor")
        return content


def _reason(message: str) -> str:
    """The one line of torch's page of advice that says what is wrong: the last before it names its documentation."""
    lines = [line.strip() for line in message.partition("Check the documentation")[0].splitlines() if line.strip()]
    return lines[-1].rpartition("WeightsUnpickler error:")[2].strip() if lines else "no reason given"


# ---------------------------------------------------------------- before it is loaded


def _look_into_archive(file: IO[bytes], path: Path) -> tuple[set[str], int]:
    """Globals of an archive's pickle, bytes of its storages; refuses what is no checkpoint or not what it claims."""
    _check_directory(file, path)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        roots = [one for one in members if one.filename.split("/", 1)[-1] == "data.pkl" or one.filename == "data.pkl"]
        _check_kind({one.filename.split("/", 1)[-1] for one in members}, len(roots), path)
        size = path.stat().st_size
        if any(one.compress_type or one.flag_bits & 1 for one in members):
            raise ModelError(
                f"{shown(path)}: its members are compressed or encrypted, which torch.save never does. {SAVE_AGAIN}"
            )
        names = {one.filename for one in members}
        if len(names) < len(members) or sum(one.file_size for one in members) > size:
            raise ModelError(f"{shown(path)}: damaged, its members claim more than its {size:,} bytes. Fetch it again.")
        if roots[0].file_size > PICKLE_BYTES:
            raise _too_much(path)
        if roots[0].CRC == 0:  # torch.serialization.set_crc32_options(False)
            del roots[0].CRC
        named = _inspected(_Pickle(BytesIO(archive.read(roots[0])), path), path)
        return named, sum(one.file_size for one in members if one.filename.split("/", 1)[-1].startswith("data/"))


def _check_kind(inner: set[str], roots: int, path: Path) -> None:
    if "constants.pkl" in inner:
        raise ModelError(f"{shown(path)}: a TorchScript archive, a program and no state_dict. {SAVE_AGAIN}")
    if roots == 1:
        return
    if any(name.endswith(("serialized_exported_program.json", "archive_format")) for name in inner):
        what = "a program of torch.export"
    elif any(name.endswith(".npy") for name in inner):
        what = "arrays of NumPy (.npz)"
    else:
        what = "a zip archive without a checkpoint of torch.save; if it holds one, unpack it"
    raise ModelError(f"{shown(path)}: {what}. {SAVE_AGAIN}")


def _check_directory(file: IO[bytes], path: Path) -> None:
    """A zip's list of members is read whole by every library, so its size is looked at first (APPNOTE 4.3.16)."""
    end = file.seek(0, 2)
    file.seek(max(0, end - 66_000))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    size = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        file.seek(int.from_bytes(tail[at - 12 : at - 4], "little"))
        size = int.from_bytes(file.read(56)[40:48], "little")
    file.seek(0)
    if size > DIRECTORY_BYTES:
        raise ModelError(f"{shown(path)}: damaged, its list of members has {size:,} bytes. Fetch it again.")


def _look_into_older(file: IO[bytes], path: Path) -> tuple[set[str], int]:
    """The same of a file from before the zip format: five pickles, then the storages."""
    pickles = _Pickle(file, path)
    named = set[str]().union(*(_inspected(pickles, path) for _ in range(5)))
    return named, path.stat().st_size - pickles.taken  # a storage that the file leaves out would be what memory holds


def _inspected(pickles: _Pickle, path: Path) -> set[str]:
    """The globals of one pickle, which is taken apart and not run; raises ModelError when it would make too much."""
    named: set[str] = set()
    for index, (operation, argument, _) in enumerate(pickletools.genops(cast(Any, pickles))):
        pickles.spend(COSTS.get(operation.name, 1))
        if operation.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            named |= {
                f"{module}.{name}",
                ".".join(NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))),
            }
        elif (operation.name == "PROTO") == (index > 0) or (index == 0 and argument != 2):
            protocol = argument if operation.name == "PROTO" else "0 or 1"
            raise ModelError(
                f"{shown(path)}: a pickle of protocol {protocol}; torch.save's own is 2, and no other is read without "
                f"running it. {SAVE_AGAIN}"
            )
    if "builtins.bytearray" in named:  # called with a number, it takes as many bytes
        raise _too_much(path)
    if "torch._utils._rebuild_sparse_tensor" in named:
        raise ModelError(f"{shown(path)}: holds a sparse tensor. Save it dense: tensor.to_dense().")
    return named


class _Pickle:
    """A stream that gives at most PICKLE_BYTES, and a sum of what its operations cost in memory."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path = file, path
        self.taken, self._cost = 0, PICKLE_COST

    def read(self, size: int) -> bytes:
        if size > PICKLE_BYTES - self.taken:
            raise _too_much(self._path)
        content = self._file.read(size)
        self.taken += len(content)
        return content

    def readline(self) -> bytes:
        line = self._file.readline(4096)
        self.taken += len(line)
        return line

    def spend(self, cost: int) -> None:
        self._cost -= cost
        if self._cost < 0:
            raise _too_much(self._path)


def _too_much(path: Path) -> ModelError:
    return ModelError(
        f"{shown(path)}: refused, it holds more objects beside its tensors than a checkpoint does. {SAVE_AGAIN}"
    )


# ---------------------------------------------------------------- what stands for what is not a tensor


class _Kind(type):
    """The class of stand-ins: calling one is refused, unless its name is one of CALLABLE."""

    name: str

    def __call__(cls, *_: Any, **__: Any) -> Any:
        if not cls.name.startswith(CALLABLE):
            raise pickle.UnpicklingError(f"would call {cls.name}")
        made: Any = cast(Any, cls).__new__(cls)
        return made


class StandIn(metaclass=_Kind):
    """Of an object that is no tensor: made by any arguments, given any state, holds nothing."""

    name = ""

    def __new__(cls, *_: Any, **__: Any) -> StandIn:
        return object.__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


class MappingStandIn(StandIn):
    """Of a class that is a dictionary, which only its items tell."""

    def __new__(cls, *_: Any, **__: Any) -> OrderedDict[Any, Any]:  # type: ignore[misc]
        return OrderedDict()


def stand_in(name: str, base: type[StandIn] = StandIn) -> Callable[..., Any]:
    """What a global of that name becomes: a plain container where its items follow, else a class of no use."""
    if name in _REAL or name.lower().endswith(MAPPINGS):
        return _REAL.get(name, OrderedDict)
    return _Kind(name.rpartition(".")[2], (StandIn if name.startswith(CALLABLE) else base,), {"name": name})


_REAL: dict[str, Callable[..., Any]] = {"collections.defaultdict": lambda *_: {}, "collections.deque": lambda *_: []}
