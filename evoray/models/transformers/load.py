"""Parents of transformers: a folder as ``save_pretrained`` writes it. No code that lies in it is run.

A batch's inputs are given by their names (``input_ids``, ``attention_mask``). Behind a record's last token stands
padding, which the mask hides; which token it is belongs to the parent, whose head may look for it.
"""

from __future__ import annotations

import copyreg
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from evoray.config import ParentConfig
from evoray.data.text.folder import CONFIG, read_config
from evoray.errors import ConfigError, ModelError
from evoray.models.base import Parent
from evoray.models.transformers.folder import find_folder
from evoray.models.transformers.images import preprocessing_of
from evoray.runtime.reading import reason_of, shown

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
AGAIN = (
    "Write it again with save_pretrained, or delete it where it is of a cache, which then makes or fetches it again."
)
_UNNAMED = "LABEL_"


def load(config: ParentConfig, config_dir: Path | None) -> Parent:
    """The network of a folder in its own floating types, or with ``weights = "random"`` one of its architecture.

    Raises:
        ConfigError: no such folder. ModelError: it holds no network that transformers knows, or no safetensors of it.
    """
    _import_transformers()
    _refuse_images(config)
    folder = find_folder(config, config_dir)
    values = read_config(folder)
    architecture = _architecture(values, folder)
    with quietly(folder):
        if config.weights == "random":
            model = architecture(architecture.config_class.from_pretrained(folder, local_files_only=True))
        else:
            model = _pretrained(architecture, folder)
    notes = _prepare(model, folder)
    name, images = Path(config.name).name, preprocessing_of(folder)
    return Parent(model, name, images, classes=_classes(model), notes=notes, tokenizer=str(folder))


def _import_transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise ConfigError(
            'parent.source = "transformers": transformers is not installed. Run: pip install "evoray[transformers]"'
        ) from None
    return transformers


def _refuse_images(config: ParentConfig) -> None:
    for key in ("mean", "classes", "weights_key"):
        if getattr(config, key) is not None:
            raise ConfigError(f"parent.{key}: a transformers parent is what its folder says. Leave {key} out.")


def _architecture(values: Mapping[str, Any], folder: Path) -> Any:
    """The class that ``architectures`` names, of transformers itself."""
    transformers = _import_transformers()
    named = values.get("architectures")
    name = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else None
    if name is None:
        raise ModelError(
            f"{shown(folder / CONFIG)}: its architectures name no class. Save the network again with save_pretrained."
        )
    found = getattr(transformers, name, None)
    if not isinstance(found, type) or not issubclass(found, transformers.PreTrainedModel):
        own = " The folder has code of its own for it (auto_map), which is never run." if "auto_map" in values else ""
        raise ModelError(
            f"{shown(folder / CONFIG)}: transformers {transformers.__version__} has no {shown(name, 60)}.{own} Name a "
            'network that it has, or build this one in a function of yours (parent.source = "module").'
        )
    return found


def _pretrained(architecture: Any, folder: Path) -> nn.Module:
    if not any((folder / name).exists() for name in WEIGHTS):
        others = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".gguf", ".h5", ".msgpack"))
        there = f", but {', '.join(shown(name, 40) for name in others[:3])}" if others else ""
        raise ModelError(
            f"{shown(folder)}: no {WEIGHTS[0]} in it{there}. Load it with transformers once and write it with "
            "save_pretrained, which makes safetensors."
        )
    try:
        model, info = architecture.from_pretrained(
            folder,
            dtype="auto",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # of any architecture's own code
        raise ModelError(f"{shown(folder)}: transformers cannot load it ({reason_of(error)}). {AGAIN}") from None
    missing = sorted(info["missing_keys"])
    if missing:
        raise ModelError(
            f"{shown(folder)}: its weights lack {', '.join(missing[:3])} of {architecture.__name__}, which would be "
            "random. Train that part first, or name the class that these weights are of as architectures."
        )
    network: nn.Module = model
    return network


def _prepare(model: Any, folder: Path) -> tuple[str, ...]:
    """Outputs without a cache, padding of the parent's own kind; returns what is to be said of that."""
    from evoray.models.transformers.attention import prepare

    config = model.config
    notes: tuple[str, ...] = ()
    for name in ("use_cache", "output_attentions", "output_hidden_states"):
        if getattr(config, name, False):
            setattr(config, name, False)
    if not isinstance(getattr(config, "pad_token_id", None), int):
        config.pad_token_id, how = _padding(folder)
        if _looks_for_padding(model):
            notes = (f"{shown(folder / CONFIG)} names no pad_token_id: shorter texts are filled up with {how}",)
    prepare(model)
    let_travel()
    return notes


def _looks_for_padding(model: Any) -> bool:
    return "SequenceClassification" in type(model).__name__


def _padding(folder: Path) -> tuple[int, str]:
    """What the tokenizer pads with, else its last token's; 0 where there is no tokenizer."""
    from evoray.data.text.tokenizer import load_tokenizer

    try:
        tokenizer = load_tokenizer(folder)
    except ModelError:
        return 0, "token 0"
    for name in ("pad_token", "eos_token"):
        number = getattr(tokenizer, f"{name}_id", None)
        if isinstance(number, int):
            return number, f"the tokenizer's {name}"
    return 0, "token 0"


def _classes(model: Any) -> tuple[str, ...] | None:
    """Names of the outputs of a network that classifies; None where nobody gave them any."""
    names = getattr(model.config, "id2label", None)
    if "Classification" not in type(model).__name__ or not isinstance(names, dict):
        return None
    found = tuple(str(names.get(number, "")) for number in range(len(names)))
    return None if any(not name or name.startswith(_UNNAMED) for name in found) else found


@contextmanager
def quietly(folder: Path) -> Iterator[None]:
    """The same for a folder that is read: what the library raises is a ModelError."""
    try:
        with silent():
            yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{shown(folder)}: transformers cannot build it ({reason_of(error)}).") from None


@contextmanager
def silent() -> Iterator[None]:
    """Without bars and warnings of the library: what matters is said by EvoRay."""
    from transformers.utils import logging as own

    before, bars = own.get_verbosity(), own.is_progress_bar_enabled()
    own.set_verbosity(logging.CRITICAL)
    own.disable_progress_bar()
    try:
        yield
    finally:
        own.set_verbosity(before)
        if bars:
            own.enable_progress_bar()


def collector() -> Any:
    """The one of this process."""
    from transformers.utils import output_capturing

    return output_capturing._active_collector


def let_travel() -> None:
    """From here on networks that look at their own hidden states, as Segformer does, travel to workers.

    transformers hangs hooks on their layers, which hold the module's one collector; that holds a context variable,
    which cannot be pickled. It is pickled as the other process's own.
    """
    try:
        kind = type(collector())
    except (ImportError, AttributeError):  # versions that have no such hooks
        return
    copyreg.pickle(kind, lambda _: (collector, ()))
