"""Parents: torchvision, timm, transformers, or a user's function, with the preprocessing that belongs to them."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evoray.config import ParentConfig
from evoray.errors import ConfigError, EvorayError, ModelError
from evoray.models import from_timm, from_torchvision
from evoray.models.answers import check_call, logits_of
from evoray.models.base import Parent, Preprocessing, configured, refuse_normalisation
from evoray.models.checkpoints.loading import file_of, with_weights
from evoray.models.onnx import load as from_onnx
from evoray.models.precision import remedy
from evoray.models.seeding import seeded
from evoray.models.structure import in_evaluation
from evoray.models.tensors import all_finite
from evoray.models.transformers import load as from_transformers
from evoray.runtime.importing import import_function, modules_of
from evoray.runtime.origin import NoExit, told
from evoray.runtime.reading import reason_of, said

STATISTICS = ("running_mean", "running_var")


def load_parent(config: ParentConfig, config_dir: Path | None = None, *, seed: int = 0, quick: bool = False) -> Parent:
    """Builds the parent that a configuration names.

    Args:
        config_dir: folder from which module parents are imported, and to which relative checkpoint paths refer.
        seed: of ``weights = "random"``.
        quick: its tensors are loaded afterwards, so they are drawn in haste and not looked at.

    Raises:
        ConfigError: the name or the weights do not exist. ModelError: they exist and cannot be used.
    """
    if config.source == "module":
        # what a module draws while it is imported, the first time alone, moves nothing below; the folder's lock comes
        # first, as below: in the other order two threads wait for each other
        with NoExit(config_dir, ModelError), modules_of(config_dir), seeded(seed):
            import_function(config.name, config_dir)
    with NoExit(config_dir, ModelError), modules_of(config_dir), seeded(seed, quick):
        parent = _SOURCES[config.source](config, config_dir)
    parent = replace(parent, model=in_evaluation(parent.model, parent.name))
    if quick:
        return parent
    _check_finite(parent)
    return parent


def architecture(config: ParentConfig, *, seed: int) -> nn.Module:
    """A library's network without numbers, on the meta device: for one whose tensors are given to it afterwards.

    Raises whatever building it so raises: some libraries' code looks at numbers meanwhile.
    """
    with seeded(seed), torch.device("meta"):
        return _SOURCES[config.source](config, None).model


def _check_finite(parent: Parent) -> None:
    """Raises ModelError where a tensor holds NaN, or infinity; buffers may hold that, as masks of attention do, but for
    running statistics."""
    parameters = {name for name, _ in parent.model.named_parameters(remove_duplicate=False)}
    for name, tensor in parent.model.state_dict().items():
        if not tensor.is_floating_point() or all_finite(tensor):
            continue
        mask = name not in parameters and not name.endswith(STATISTICS) and not bool(tensor.isnan().any())
        if not mask:
            raise ModelError(f"the parent {parent.name}: tensor {name} holds NaN or infinity. Take another checkpoint.")


def find_weights(config: ParentConfig, config_dir: Path | None = None) -> Path | None:
    """The file of a parent's weights, fetched where that is asked for; None where it is random or brings its own.

    Raises:
        ConfigError, ModelError: what ``load_parent`` raises of weights that are not there.
    """
    if config.weights in (None, "random"):
        return None
    return _FILES[config.source](config, config_dir)


def parent_preprocessing(config: ParentConfig, config_dir: Path | None = None, *, seed: int = 0) -> Preprocessing:
    """What a configuration's parent asks of its images; torchvision and timm say so without its weights."""
    if config.source == "torchvision":
        return from_torchvision.preprocessing(config)
    if config.source == "timm" and (known := from_timm.preprocessing(config)) is not None:
        return known
    return load_parent(config, config_dir, seed=seed).preprocessing


def check_outputs(model: nn.Module, sample: Tensor, classes: int) -> int:
    """Runs a small batch [b, C, H, W]; returns the number of outputs.

    More outputs than classes are fine: labels then index the first of them.

    Raises:
        ModelError: the forward pass fails, gives no [b, outputs] tensor, or has fewer outputs than classes.
    """
    check_call(model)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    try:
        with torch.inference_mode():
            logits = model(sample.to(dtype))
    except Exception as error:
        advice = "Ingest the images as the parent expects them (evoray data ingest --for CONFIG.toml)."
        if (for_types := remedy(model, error)) is not None:
            advice = for_types
        elif _runs_with_gradients(model, sample.to(dtype)):
            advice = "Its forward works with gradients alone; EvoRay evaluates in inference mode. Have it need none."
        raise ModelError(
            f"the parent cannot evaluate images of shape {tuple(sample.shape[1:])}: {reason_of(error)}. {advice}"
        ) from error
    return int(logits_of(logits, len(sample), classes).shape[1])


def _runs_with_gradients(model: nn.Module, sample: Tensor) -> bool:
    try:
        with torch.enable_grad():
            model(sample)
    except Exception:
        return False
    return True


def _module(config: ParentConfig, config_dir: Path | None) -> Parent:
    made = _made(config.name, config_dir)
    if config.classes is not None:
        raise ConfigError(
            "parent.classes is for torchvision and timm: a module parent's function decides how many outputs it has. "
            "Leave parent.classes out."
        )
    path = find_weights(config, config_dir)
    notes = made.notes
    if path is not None:
        model = made.model
        notes += with_weights(lambda _: model, path, config)[1]
    if "transformers" in sys.modules and made.tokenizer is not None:
        from evoray.models.transformers.attention import prepare_inside

        prepare_inside(made.model)
    own = made.preprocessing
    if own.mean is not None:
        refuse_normalisation(config)
    return replace(made, name=config.name, preprocessing=configured(config, own), notes=notes)


def _made(name: str, config_dir: Path | None) -> Parent:
    """What a user's function returns, or a class without arguments builds.

    Raises:
        ModelError: it is no function, cannot be called without arguments, raises, or returns no network.
    """
    function: Callable[[], Any] = import_function(name, config_dir)
    if (fault := _no_builder(function)) is not None:
        raise ModelError(f'parent.name = "{name}": {fault}')
    try:
        made = function()
    except EvorayError:
        raise
    except Exception as error:
        raise ModelError(f'parent.name = "{name}": the function raised {told(error, config_dir)}') from error
    made = Parent(made) if isinstance(made, nn.Module) else made
    if not isinstance(made, Parent):
        is_class = isinstance(made, type)
        what = f"the class {made.__name__}" if is_class else type(made).__name__
        remedy = f" Return {made.__name__}()." if is_class else ""
        raise ModelError(f'parent.name = "{name}": returned {what}, not an nn.Module or an evoray.Parent.{remedy}')
    return made


def _no_builder(found: Any) -> str | None:
    """Why something cannot be called to build a network. A run builds it several times, each from the start: one
    network that is there already would hide what its exports lack, and has weights that no seed repeats."""
    if isinstance(found, nn.Module | Parent):
        kind = type(found).__name__
        return f"a network that is built already ({kind}). Name a function that builds it: def make(): return {kind}(…)"
    if not callable(found):
        return f"{type(found).__name__}, neither a function nor a class. Name a function that returns the network."
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        called = getattr(found, "__name__", "it")
        return f"needs arguments ({said(error)}). Name a function without any: def make(): return {called}(…)"
    except ValueError:  # its signature is not known
        return None
    return None


_SOURCES: dict[str, Callable[[ParentConfig, Path | None], Parent]] = {
    "torchvision": from_torchvision.load,
    "timm": from_timm.load,
    "module": _module,
    "transformers": from_transformers.load,
    "onnx": from_onnx.load,
}
_FILES: dict[str, Callable[[ParentConfig, Path | None], Path | None]] = {
    "torchvision": from_torchvision.find,
    "timm": from_timm.find,
    "module": lambda config, config_dir: file_of(config, config_dir, "a module parent has no named weights"),
}
"""Where each source's weights lie; a folder of transformers holds its own."""
