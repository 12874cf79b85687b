"""What ``--parent`` names: a checkpoint, an architecture, a function, a folder of transformers, or an .onnx file."""

import os
import re
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evoray.begin.init.architectures import Match, Unmatched, channels_of, match
from evoray.config import ParentConfig
from evoray.config.allowed import nearest
from evoray.data.text.folder import CONFIG, read_config
from evoray.errors import ConfigError, EvorayError, ModelError
from evoray.models.base import Preprocessing
from evoray.runtime.paths import expanded, names_a_checkpoint
from evoray.runtime.reading import quoted, shown

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
HUB = re.compile(r"[\w.-]+/[\w.-]+")
OWN = "model:make"
"""The function that a user whose network is in no library has to write."""


@dataclass(frozen=True)
class FoundParent:
    """keys: of ``[parent]``, each with a comment (empty: none). said: what was found, a sentence each.
    beside: lines of comments below the keys; normalisation: more of them, where records are images.

    kind: ``images``, ``masks``, or of a network of texts ``generation`` or ``text-classification``; empty where nothing
    says it. images: what its images are like. own_file: ``data ingest --for`` has to be told how they were cut.
    to_do: what the user has to fill in before anything runs.
    """

    keys: tuple[tuple[str, Any, str], ...]
    said: tuple[str, ...]
    kind: str = ""
    beside: tuple[str, ...] = ()
    images: Preprocessing | None = None
    own_file: bool = False
    outputs: int | None = None
    to_do: tuple[str, ...] = ()
    normalisation: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return next(str(value) for key, value, _ in self.keys if key == "source")


def find_parent(named: str, weights: str | None, folder: Path) -> FoundParent:
    """What a user names. folder: of the configuration to be written, from which functions are imported.

    Raises:
        ConfigError, ModelError: nothing is called so, or it cannot be used.
    """
    if not named or "\0" in named:
        raise ConfigError(f"--parent {quoted(named)}: no name. Name a checkpoint, an architecture, or module:function.")
    path = Path(expanded(named))
    if FUNCTION.fullmatch(named) and not os.path.exists(path):
        return _function(named, weights, folder)
    if path.suffix.lower() == ".onnx":
        return _onnx(str(path))
    if os.path.isfile(path / CONFIG):
        return _folder(path)
    if os.path.exists(path):
        return _checkpoint(path)
    if names_a_checkpoint(named) and not HUB.fullmatch(named):
        raise ConfigError(f"--parent {shown(named)}: no such file or folder. Name a checkpoint that is there.")
    return _architecture(named, weights)


def _checkpoint(path: Path) -> FoundParent:
    found = match(path)
    if isinstance(found, Unmatched):
        return _of_the_user(path, found)
    said = [f"{shown(path)}: {found.tensors:,} tensors, which are those of {found.name} ({found.source})"]
    if found.outputs is not None:
        said.append(f"its head has {found.outputs:,} outputs")
    keys: list[tuple[str, Any, str]] = [
        ("source", found.source, "the library that builds the network"),
        ("name", found.name, "found by the names and shapes of the file's tensors"),
        ("weights", str(path), ""),
    ]
    if found.keys:
        keys.append(("weights_key", found.keys[0], f"the file holds several: {', '.join(found.keys)}"))
    images = _images_of(found)
    kind, normalisation = _kind_of(found.name), _normalisation(images, found)
    return FoundParent(tuple(keys), tuple(said), kind, (), images, True, found.outputs, normalisation=normalisation)


def _of_the_user(path: Path, found: Unmatched) -> FoundParent:
    """A network of the user's own code: the function is theirs to name."""
    first, last = (shown(name, 60) for name in found.names)
    what = f"{found.tensors:,} tensors ({first} … {last}), {found.weights:,} weights"
    said = (f"{shown(path)}: {what}; no architecture of {_libraries()} has these tensors",)
    keys = (
        ("source", "module", "your own code"),
        ("name", OWN, "FILL IN: package.module:function, which takes nothing and returns the nn.Module"),
        ("weights", str(path), what),
    )
    to_do = ("name the function that builds your network, as parent.name: the module lies beside the configuration",)
    images = Preprocessing(channels=found.channels)
    normalisation = _unsaid_normalisation()
    return FoundParent(keys, said, "", (), images, True, found.outputs, to_do, normalisation)


def _architecture(named: str, weights: str | None) -> FoundParent:
    from torchvision import models

    name, _, tag = named.rpartition("/")[2].partition(".")
    if named.startswith("timm/") or not HUB.fullmatch(named):
        if tag == "" and not named.startswith("timm/") and name in models.list_models():
            return _torchvision(name, weights)
        if (found := _timm(name, weights or tag)) is not None:
            return found
        raise ConfigError(_nothing(named, models.list_models()))
    said = (f"{named}: no file or folder here, so a name on the Hub of transformers",)
    keys = (("source", "transformers", ""), ("name", named, "or a folder as save_pretrained writes it"))
    return FoundParent(keys, said, beside=("# download = true              # lets it be fetched from the Hub",))


def _torchvision(name: str, weights: str | None) -> FoundParent:
    from torchvision import models

    enum: Any = models.get_model_weights(name)
    default = enum.DEFAULT
    chosen = weights or default.name
    own_file = chosen not in enum.__members__ and chosen != "random"
    others = [one for one in enum.__members__ if one not in (chosen, "DEFAULT")]
    beside: tuple[str, ...] = ()
    if not own_file and chosen != "random" and not _is_cached(enum[chosen]):
        beside = ("# download = true              # its file is not in torch's cache: lets a run fetch it",)
    keys = (
        ("source", "torchvision", ""),
        ("name", name, ""),
        ("weights", chosen, f"or {', '.join([*others, 'a file of yours'])}" if not own_file else ""),
    )
    config = ParentConfig(source="torchvision", name=name, weights="random" if own_file else chosen)
    images = _preprocessing(config)
    outputs = len(default.meta.get("categories", ())) or None
    said = (f"{name} of torchvision, weights {shown(chosen)}",)
    normalisation = _normalisation(images, Match("torchvision", name, None, 0)) if own_file else ()
    outputs = None if own_file else outputs
    return FoundParent(keys, said, _kind_of(name), beside, images, own_file, outputs, normalisation=normalisation)


def _timm(name: str, weights: str | None) -> FoundParent | None:
    try:
        import timm
    except ImportError:
        return None
    if name not in timm.list_models():
        return None
    tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{name}.*")]
    chosen = weights or (tags[0] if tags else "random")
    keys = (
        ("source", "timm", ""),
        ("name", name, ""),
        ("weights", chosen, f"or {', '.join([*[tag for tag in tags if tag != chosen][:4], 'a file of yours'])}"),
    )
    own_file = chosen not in (*tags, "random", "pretrained")
    beside = () if own_file or chosen == "random" else ("# download = true              # lets a run fetch them",)
    images = _preprocessing(ParentConfig(source="timm", name=name, weights="random" if own_file else chosen))
    return FoundParent(keys, (f"{name} of timm, weights {shown(chosen)}",), "images", beside, images, own_file)


def _nothing(named: str, known: list[str]) -> str:
    near = nearest(named, known)
    hint = f"did you mean {near}?" if near else "Name one of these."
    what = f"no file or folder, no architecture of {_libraries()}, and no package.module:function"
    return f"--parent {shown(named)}: {what}; {hint}"


def _libraries() -> str:
    """That were asked; how the other one comes, where it is not there."""
    if find_spec("timm") is None:
        return 'torchvision (timm is not installed: pip install "evoray[timm]")'
    return "torchvision or timm"


def _function(named: str, weights: str | None, folder: Path) -> FoundParent:
    """The user's own code is called once, as a run calls it, to see what it brings."""
    from evoray.models import load_parent

    config = ParentConfig(source="module", name=named, weights=weights)
    parent = load_parent(config, folder)
    count = sum(one.numel() for one in parent.model.parameters())
    said = (f"{named}: a {type(parent.model).__name__} of {count:,} weights",)
    keys: list[tuple[str, Any, str]] = [("source", "module", ""), ("name", named, "imported from this file's folder")]
    if weights is not None:
        keys.append(("weights", weights, ""))
    outputs = None if parent.classes is None else len(parent.classes)
    images = parent.preprocessing
    if images.crop is None and images.resize is None:
        images = replace(images, channels=channels_of(parent.model.state_dict()))
    normalisation = () if images.mean is not None else _unsaid_normalisation()
    own_file = images.crop is None
    return FoundParent(tuple(keys), said, "", (), images, own_file, outputs, normalisation=normalisation)


def _folder(path: Path) -> FoundParent:
    values = read_config(path)
    if "architectures" not in values and isinstance(values.get("architecture"), str):
        return _of_timms_hub(path, values["architecture"])
    named = values.get("architectures") or [""]
    cls = str(named[0])
    kind = "generation" if cls.endswith(("CausalLM", "LMHeadModel")) else ""
    kind = "text-classification" if cls.endswith("SequenceClassification") else kind
    kind = "images" if cls.endswith("ImageClassification") else kind
    keys = (("source", "transformers", ""), ("name", str(path), f"{cls}, as save_pretrained writes it"))
    images = None
    if kind == "images":
        from evoray.models.transformers.images import preprocessing_of

        images = preprocessing_of(path)
    return FoundParent(keys, (f"{shown(path)}: {shown(cls, 80)} of transformers",), kind, images=images)


def _of_timms_hub(path: Path, named: str) -> FoundParent:
    name, _, _ = named.partition(".")
    found = _timm(name, str(path))
    if found is None:
        raise ModelError(
            f'{shown(path)}: {shown(named, 60)} of timm, which is not installed. Run: pip install "evoray[timm]"'
        )
    return found


def _onnx(path: str) -> FoundParent:
    from evoray.models import load_parent

    config = ParentConfig(source="onnx", name=path)
    parent = load_parent(config)
    images = parent.preprocessing
    keys = (("source", "onnx", "run by onnxruntime on the CPU"), ("name", path, ""))
    normalisation = () if images.mean is not None else _unsaid_normalisation()
    said = (f"{shown(path)}: an ONNX network",)
    return FoundParent(keys, said, images=images, own_file=True, normalisation=normalisation)


def _kind_of(name: str) -> str:
    from torchvision import models

    return "masks" if name in models.list_models(module=models.segmentation) else "images"


def _images_of(found: Match) -> Preprocessing:
    if found.source == "module":
        return Preprocessing(channels=found.channels)
    return _preprocessing(ParentConfig(source=found.source, name=found.name, weights="random"))  # type: ignore[arg-type]


def _preprocessing(config: ParentConfig) -> Preprocessing:
    from evoray.models import parent_preprocessing

    try:
        return parent_preprocessing(config)
    except EvorayError:
        return Preprocessing()


def _normalisation(images: Preprocessing, found: Match) -> tuple[str, ...]:
    """What a file of the user's does not say: how the images of its training were normalised."""
    if images.mean is None or images.std is None:
        return _unsaid_normalisation()
    return (
        f"# mean = {_numbers(images.mean)}    # {found.source}'s for {found.name}, and taken unless said otherwise:",
        f"# std = {_numbers(images.std)}     # those of the training, where it had others",
    )


def _unsaid_normalisation() -> tuple[str, ...]:
    return (
        "# mean = [0.5]                 # how the images of its training were normalised, a value a channel;",
        "# std = [0.5]                  # left out, images arrive as x/255, from 0 to 1",
    )


def _numbers(values: tuple[float, ...]) -> str:
    return f"[{', '.join(f'{value:.4g}' for value in values)}]"


def _is_cached(weights: Any) -> bool:
    import torch

    return os.path.isfile(os.path.join(torch.hub.get_dir(), "checkpoints", weights.url.rpartition("/")[2]))
