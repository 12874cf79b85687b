"""The parent on images of ``select``, before a run: refused where it is not pure, and what is worth saying of it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from evoray.config import RunConfig
from evoray.data.splits import Splits
from evoray.data.transform import ImageTransform
from evoray.errors import ModelError
from evoray.evaluation.exported import Export
from evoray.evaluation.host import kept_at_eval
from evoray.evaluation.kept.depth import FirstUse, Prices, first_use
from evoray.evaluation.kept.keeper import REPEATS
from evoray.evaluation.kept.tape import Network, record_opening
from evoray.evaluation.passes import Sample, tensors_inside
from evoray.evaluation.program import DTYPES
from evoray.evaluation.purity import check_purity
from evoray.models import Parent, Preprocessing, fresh_network
from evoray.models.onnx.network import OnnxNetwork
from evoray.mutation import Space
from evoray.mutation.registry import KINDS
from evoray.runtime.auto import given
from evoray.runtime.reading import reason_of
from evoray.tasks.base import Batch, Task
from evoray.tasks.opening import opening_of

UNUSED = 0.01
"""Share of the weights that a network may leave unused before it is said."""
Samples = Callable[[torch.dtype], Sample]
"""Batches of an image of ``select`` in a type."""


class Inputs(Protocol):
    """What is asked of a run's inputs (``evoray.search.inputs.Inputs``)."""

    @property
    def config(self) -> RunConfig: ...
    @property
    def config_dir(self) -> Path | None: ...
    @property
    def parent(self) -> Parent: ...
    @property
    def state(self) -> Mapping[str, Tensor]: ...
    @property
    def aliases(self) -> Mapping[str, str]: ...
    @property
    def space(self) -> Space: ...
    @property
    def splits(self) -> Splits: ...
    @property
    def task(self) -> Task: ...


def judge(inputs: Inputs, samples: Samples) -> tuple[str, ...]:
    """Sentences to be shown; raises ModelError as ``check_purity`` does."""
    dtype = DTYPES[given(inputs.config.compute.dtype) or "bfloat16"]
    logits, what = takes_logits(inputs.task), inputs.splits.counted
    said = check_purity(inputs.parent, export_of(inputs), samples, dtype, logits, what)
    return (*transform_notes(inputs.parent, inputs.splits), *said)


def takes_logits(task: Task) -> bool:
    """Whether a network that gives probabilities is refused: where outputs are classes, or a task says so."""
    return bool(getattr(task, "logits", task.classification is not None))


def with_fitting_layout(inputs: Inputs, samples: Samples) -> tuple[RunConfig, tuple[str, ...]]:
    """The configuration with ``compute.layout`` as the network can take it, and what is to be said of that.

    ``x.view(len(x), -1)`` after a convolution is in every tutorial, and fails on images in channels-last.
    """
    config, model = inputs.config, inputs.parent.model
    if config.compute.layout == "contiguous":
        return config, ()
    images = samples(_own_type(model))
    if not (isinstance(images.alone, Tensor) and images.alone.ndim == 4):
        return config, ()
    try:
        with torch.inference_mode():
            images.run(model, images.alone.clone(memory_format=torch.channels_last))
    except Exception as error:
        line = (
            f'compute.layout is "contiguous" for this run: the parent does not take images in channels-last '
            f"({reason_of(error)}). With reshape or flatten in place of view it would, and run faster."
        )
        compute = config.compute.model_copy(update={"layout": "contiguous"})
        return config.model_copy(update={"compute": compute}), (line,)
    return config, ()


def by_depth(inputs: Inputs, config: RunConfig, samples: Samples) -> tuple[RunConfig, Space, tuple[str, ...]]:
    """Configuration and space as the run's kind of mutation asks for them, and what is to be said of them.

    A kind of format 2 gets the order in which the parent first uses its tensors, and where it asks for it what of a
    pass a child of each costs, each from one pass over one image.

    Raises:
        ModelError: the pass fails, or uses none of the tensors.
    """
    kind, space = config.mutation.kind, inputs.space
    if KINDS.of(config.mutation).FORMAT != 2:
        return config, space, ()
    found, prices = _first_use(inputs, samples)
    if not found.used:
        raise ModelError(
            f'mutation.kind = "{kind}": in a pass of the parent {inputs.parent.name} none of the {len(space.tensors)} '
            'tensors that may be mutated was seen in use. Use mutation.kind = "partition".'
        )
    space = space.with_depth(found.order)
    if config.mutation.asks_for_work:
        config = config.model_copy(update={"mutation": config.mutation.with_work(space, prices)})
    whole = () if opening_of(inputs.task) else (f"children run the whole network: {REPEATS}",)
    unused = [space.tensors[number] for number in found.order[found.used :]]
    share = sum(spec.size for spec in unused) / space.n
    if share < UNUSED:
        return config, space, whole
    line = (
        f"{share:.0%} of the weights that may be mutated are in tensors that the parent does not use "
        f"({unused[0].name}, …): they make up the last blocks, whose children equal their parent. mutation.exclude "
        "leaves them out."
    )
    return config, space, (*whole, line)


def _first_use(inputs: Inputs, samples: Samples) -> tuple[FirstUse, Sequence[float]]:
    """(order, prices); no prices where the kind of mutation does not ask for them."""
    model, names = inputs.parent.model, [spec.name for spec in inputs.space.tensors]
    if isinstance(model, OnnxNetwork):
        return _in_graph(model, names)

    def call(*args: Any, **kwargs: Any) -> Any:
        _renew(model)  # what is computed of weights at eval(), and kept, is computed in the pass
        return model(*args, **kwargs)

    also = ""
    try:
        images = samples(_own_type(model))

        def use(network: Network) -> Any:
            return images.run(network, tree_map(_copied, images.alone))

        found = first_use(model, names, lambda: use(call))
        if not inputs.config.mutation.asks_for_work:
            return found, ()
        also = ' Or leave the count of its operations out: mutation.allocation = "equal".'
        opening = opening_of(inputs.task)
        if opening is None:
            return found, (1.0,) * len(names)
        batch = Batch(images.alone, len(next(tensors_inside(images.alone))))
        prices = Prices(model, names, partial(record_opening, opening, call, batch))
        _renew(model)  # what was kept in inference mode is of no use outside of it
        return found, prices
    except Exception as error:
        raise ModelError(
            f'mutation.kind = "{inputs.config.mutation.kind}": the order in which the parent {inputs.parent.name} uses '
            f'its weights could not be found ({reason_of(error)}). Use mutation.kind = "partition".{also}'
        ) from error


def _in_graph(model: OnnxNetwork, names: Sequence[str]) -> tuple[FirstUse, Sequence[float]]:
    """As the graph says; onnxruntime keeps no activations, so that every child costs a whole pass."""
    numbers = {name: number for number, name in enumerate(names)}
    order = [numbers[name] for name in model.order() if name in numbers]
    rest = [number for number in range(len(names)) if number not in set(order)]
    return FirstUse((*order, *rest), len(order)), (1.0,) * len(names)


def _renew(model: nn.Module) -> None:
    with torch.no_grad():
        for module in kept_at_eval(model):
            module.train()
            module.eval() if module is model else module.train(False)


def _copied(one: Any) -> Any:
    """Made where it is asked for: in inference mode, some operations arrive whole for such tensors alone."""
    return one.clone() if isinstance(one, Tensor) else one


def _own_type(model: nn.Module) -> torch.dtype:
    return next((one.dtype for one in model.parameters() if one.is_floating_point()), torch.float32)


def export_of(inputs: Inputs) -> Export:
    """What the run writes of its networks, and how its user loads that."""
    config = inputs.config

    def fresh(state: Mapping[str, Tensor], quick: bool = False) -> nn.Module:
        return fresh_network(inputs.parent, config.parent, inputs.config_dir, config.seed, state, quick)

    return Export(inputs.state, inputs.aliases, inputs.space, fresh, inputs.config_dir, partial(fresh, quick=True))


def transform_notes(parent: Parent, splits: Splits) -> list[str]:
    """A sentence where the shards' transform is not the parent's own; none where either says nothing of it."""
    transform = getattr(getattr(splits.datasets["select"], "manifest", None), "transform", None)
    if not isinstance(transform, ImageTransform):
        return []
    differences = _differences(parent.preprocessing, transform)
    if not differences:
        return []
    return [
        f"the images are not as the parent {parent.name} expects them: {', '.join(differences)}. Its scores may be "
        "lower than published ones; evoray data ingest --for CONFIG.toml takes its own transform"
    ]


def _differences(own: Preprocessing, shards: ImageTransform) -> list[str]:
    """Steps that differ, the shards' first. A parent without ``resize`` says nothing of sizes or interpolation."""
    if own.resize is None and own.crop is None:
        return []
    steps = {
        "resize": (shards.resize, own.resize),
        "crop": (shards.crop, own.crop),
        "interpolation": (shards.interpolation, own.interpolation),
        "antialias": (shards.antialias, own.antialias),
        "channels": (shards.channels, own.channels),
    }
    if shards.resize is None:  # nothing was resized: how says nothing
        del steps["interpolation"], steps["antialias"]
    return [
        f"{step} {_shown(ours)} (its own: {_shown(its)})"
        for step, (ours, its) in steps.items()
        if its is not None and ours != its
    ]


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
