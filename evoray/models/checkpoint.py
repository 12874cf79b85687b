"""Checkpoints: .safetensors, and .pth without running what is in it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from evoray.errors import ModelError


def read_state(path: str | Path) -> dict[str, Tensor]:
    """A checkpoint's tensors by name, on the CPU; raises ModelError with the file and the remedy."""
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such file. Name a .safetensors or .pth checkpoint.")
    if path.suffix == ".safetensors":
        return parse_state(path.read_bytes(), str(path))
    if path.suffix not in (".pth", ".pt"):
        raise ModelError(f"{path}: a checkpoint ends in .safetensors, .pth or .pt.")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path}: refused, it holds more than tensors and could run code ({str(error).splitlines()[0]}). "
            "Save model.state_dict() as .safetensors where you trust the file."
        ) from None
    except Exception as error:
        raise ModelError(f"{path}: not a PyTorch checkpoint ({type(error).__name__}: {error}).") from None
    return _tensors(loaded, path)


def parse_state(content: bytes, origin: str) -> dict[str, Tensor]:
    """The tensors of a .safetensors file's bytes."""
    try:
        return dict(safetensors.torch.load(content))
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{origin}: not a .safetensors file, or damaged ({error}).") from None


def state_bytes(state: Mapping[str, Tensor]) -> bytes:
    """A state as .safetensors bytes."""
    return bytes(safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in state.items()}))


def write_state(path: str | Path, state: Mapping[str, Tensor]) -> None:
    """Writes a .safetensors file; it appears whole or not at all."""
    temporary = f"{path}.part"
    try:
        with open(temporary, "wb") as file:
            file.write(state_bytes(state))
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error}).") from None


def load_into(model: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads a state into a model; every name and shape must fit."""
    own = model.state_dict()
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in own]
    problems += [
        f"{name} is {tuple(state[name].shape)}, the model's is {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise ModelError(
            f"{origin}: does not fit the model: {'; '.join(problems[:5])}{more}. "
            "Name the architecture that the checkpoint was made with."
        )
    own.update(state)  # keeps the version metadata that some modules insist on
    model.load_state_dict(own)


def _tensors(loaded: Any, path: Path) -> dict[str, Tensor]:
    for key in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not loaded or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise ModelError(f"{path}: holds no state_dict. Save model.state_dict().")
    return {str(name): tensor for name, tensor in loaded.items()}
