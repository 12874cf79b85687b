"""Files of weights: what a file holds is told by its first bytes, whatever it is called. No code of a file is run."""

import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from evoray.errors import ModelError
from evoray.models.checkpoints.states import only_state
from evoray.models.checkpoints.torch_file import MAGIC, load_torch, tensors_in
from evoray.models.onnx.file import SUFFIX, onnx_bytes, read_onnx
from evoray.runtime.paths import CHECKPOINTS, replace_with
from evoray.runtime.reading import parse_json, read_file, shown

IN_FOLDERS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""What a folder's weights are called, in the order in which the Hugging Face libraries look for them."""
HEADER_BYTES = INDEX_BYTES = 16 * 2**20
SHARDS = 10_000
SLACK_BYTES, VIEWS = 2**20, 4
"""Tensors may share their storage, but not claim more than so many times the bytes that are there."""
FOREIGN = {
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself. Run git lfs pull",
    b"\x1f\x8b": "compressed (gzip). Unpack it",
    b"BZh": "compressed (bzip2). Unpack it",
    b"\xfd7zXZ": "compressed (xz). Unpack it",
    b"\x28\xb5\x2f\xfd": "compressed (zstd). Unpack it",
    b"7z\xbc\xaf": "a 7-Zip archive. Unpack it",
    b"\x89HDF": "HDF5, as Keras writes it. Save the PyTorch model's state_dict()",
    b"\x93NUMPY": "an array of NumPy. Save the PyTorch model's state_dict()",
    b"GGUF": "GGUF. Save the PyTorch model's state_dict()",
    b"<": "a web page or XML, not a checkpoint. Fetch the file itself",
    b"\x80": "a plain pickle, which could run code. Save model.state_dict() by torch.save, or as .safetensors",
}
"""What is often taken for a checkpoint, by its first bytes; ends in the remedy."""


def read_state(path: str | Path, weights_key: str | None = None) -> dict[str, Tensor]:
    """The one state of a checkpoint, its tensors by name, on the CPU; see ``states.only_state``.

    Raises:
        ModelError: the file cannot be read, or holds none, or several; with the remedy.
    """
    if str(path).lower().endswith(SUFFIX):
        return read_onnx(Path(path))
    return only_state(read_checkpoint(path), weights_key, str(path))


def read_checkpoint(path: str | Path) -> Any:
    """All that a file, an index of shards, or a folder with one of them holds: nested dictionaries with tensors.

    Raises:
        ModelError: not there, no checkpoint, damaged, code, or tensors that claim more than the file holds.
    """
    path = Path(path)
    if os.path.isdir(path):
        path = _in_folder(path)
    head, size = _head(path)
    if head[:4] == b"PK\x03\x04" or MAGIC in head[:64]:
        content = load_torch(path)
    elif head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= max(size - 8, 0):
        content = _safetensors(path, int.from_bytes(head[:8], "little"))
    elif head.lstrip()[:1] == b"{":
        return _sharded(path)
    else:
        raise _foreign(path, head)
    _check_claims(content, size, str(path))
    return content


def parse_state(content: bytes, origin: str) -> dict[str, Tensor]:
    """The tensors of a .safetensors file's bytes."""
    length = int.from_bytes(content[:8], "little")
    try:
        _check_header(content[8 : 8 + length] if 2 <= length <= HEADER_BYTES else content[:0], origin)
        return dict(safetensors.torch.load(content))
    except (SafetensorError, ValueError, RuntimeError, OverflowError, TypeError, KeyError) as error:
        raise _damaged(origin, error) from None


def state_bytes(state: Mapping[str, Tensor]) -> bytes:
    """A state as .safetensors bytes."""
    return bytes(safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in state.items()}))


def write_state(path: str | Path, state: Mapping[str, Tensor]) -> None:
    """Writes a .safetensors file, or an .onnx file of a state that came as one; it appears whole or not at all."""
    content = onnx_bytes(state) if str(path).lower().endswith(SUFFIX) else state_bytes(state)
    try:
        replace_with(Path(path), content)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error}).") from None


def _head(path: Path) -> tuple[bytes, int]:
    """The first bytes of a regular file, and its size; never waits on a pipe."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ModelError(f"{shown(path)}: not a regular file. Name a checkpoint.")
            return file.read(512), found.st_size
    except FileNotFoundError:
        raise ModelError(f"{shown(path)}: no such file. Name a .safetensors or .pth checkpoint.") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{shown(path)}: cannot be read ({getattr(error, 'strerror', None) or error}).") from None


def _foreign(path: Path, head: bytes) -> ModelError:
    if not head:
        return ModelError(f"{shown(path)}: empty. Fetch it again.")
    if head[257:262] == b"ustar":
        return ModelError(f"{shown(path)}: a tar archive. Unpack it, and name the file in it.")
    found = next((what for magic, what in FOREIGN.items() if head.lstrip().startswith(magic)), None)
    if path.suffix.lower() == ".safetensors" and found is None:
        return ModelError(f"{shown(path)}: not a .safetensors file, or damaged. Fetch it again.")
    return ModelError(
        f"{shown(path)}: {found or 'not a checkpoint, or damaged. Name a file of torch.save or .safetensors'}."
    )


def _in_folder(folder: Path) -> Path:
    """The checkpoint in a folder: one of IN_FOLDERS, else the only file with a checkpoint's suffix."""
    for name in IN_FOLDERS:
        if os.path.isfile(folder / name):
            return folder / name
    try:
        names = sorted(
            one.name for one in os.scandir(folder) if one.name.lower().endswith(CHECKPOINTS) and one.is_file()
        )
    except OSError as error:
        raise ModelError(f"{shown(folder)}: cannot be read ({error.strerror}).") from None
    if len(names) == 1:
        return folder / names[0]
    what = f"several checkpoints ({shown(', '.join(names[:6]))})" if names else "no checkpoint"
    raise ModelError(f"{shown(folder)}: a folder with {what} in it. Name the file as parent.weights.")


def _safetensors(path: Path, length: int) -> dict[str, Tensor]:
    if length > HEADER_BYTES:
        raise ModelError(f"{shown(path)}: damaged, its header claims {length:,} bytes. Fetch it again.")
    try:
        with open(path, "rb") as file:
            file.seek(8)
            _check_header(file.read(length), str(path))
        with safetensors.safe_open(path, "pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (it is no dictionary)
    except ModelError:
        raise
    except Exception as error:  # the library's own, torch's of a type or size it cannot make, the system's
        raise _damaged(str(path), error) from None


def _check_header(header: bytes, origin: str) -> None:
    """The library takes the last of two tensors of one name, without a word."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name stands in it twice")
        return dict(pairs)

    try:
        json.loads(header, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(origin, error) from None


def _damaged(origin: str, error: Exception) -> ModelError:
    return ModelError(f"{shown(origin)}: not a .safetensors file, or damaged ({shown(error)}). Fetch it again.")


def _sharded(index: Path) -> dict[str, Tensor]:
    """The state whose tensors an index of the Hugging Face libraries spreads over files beside it."""
    document = parse_json(read_file(index, INDEX_BYTES, ModelError), str(index), ModelError)
    places = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(file, str) for file in places.values()):
        raise ModelError(
            f"{shown(index)}: JSON without a weight_map, so no index of a sharded checkpoint. Name the file of weights."
        )
    files: dict[str, list[str]] = {}
    for name, file in sorted(places.items()):
        files.setdefault(file, []).append(name)
    if len(files) > SHARDS:
        raise ModelError(f"{shown(index)}: {len(files):,} shards, more than {SHARDS:,}.")
    for file in files:
        if not file or file != os.path.basename(file) or "\\" in file or file in (".", "..", index.name):
            raise ModelError(
                f'{shown(index)}: names the shard "{shown(file)}"; a shard lies in the index\'s own folder.'
            )
    state: dict[str, Tensor] = {}
    for file, names in sorted(files.items()):
        state |= _of_shard(index, file, names)
    return state


def _of_shard(index: Path, file: str, names: Iterable[str]) -> dict[str, Tensor]:
    path = index.parent / file
    if not os.path.isfile(path):
        raise ModelError(f"{shown(index)}: its shard {shown(file)} is not there. Fetch the whole folder.")
    if _head(path)[0].lstrip()[:1] == b"{":
        raise ModelError(f"{shown(index)}: its shard {shown(file)} is an index itself. Fetch the whole folder.")
    state = read_state(path)
    missing = [name for name in names if name not in state]
    if missing:
        raise ModelError(
            f"{shown(path)}: has no {shown(missing[0])}, which {index.name} says is there. Fetch it again."
        )
    return {name: state[name] for name in names}


def _check_claims(content: Any, size: int, origin: str) -> None:
    """Strides may make a tensor of 10^12 values out of one; whoever copies such a tensor fills the memory."""
    claimed = sum(one.numel() * one.element_size() for one in tensors_in(content) if not one.is_meta)
    if claimed > VIEWS * size + SLACK_BYTES:
        raise ModelError(
            f"{shown(origin)}: refused, its tensors claim {claimed:,} bytes and the file has {size:,}. "
            "Save model.state_dict() with contiguous tensors."
        )
