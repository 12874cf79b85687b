"""Before a run: is the network a pure function of its weights and of one image?

Only then are the scores of a run those of the networks that it exports. A few passes over one or two images of
``select`` say so: the same images twice, with other neighbours and alone; under a child that is written and undone;
and by a fresh network that is loaded with that child's exported weights. All are compared bit for bit, but for an image
alone, where kernels of another shape may round otherwise. A network that fails is refused, and the innermost module
at fault is named.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

import torch
from torch import Tensor

from evoray.data.schema import IMAGES, counted
from evoray.errors import EvorayError, ModelError
from evoray.evaluation.exported import Export, same_as_fresh
from evoray.evaluation.host import ModelHost, cast_floating
from evoray.evaluation.packing import travelled
from evoray.evaluation.passes import (
    Outputs,
    Passes,
    Sample,
    all_nan,
    as_rounded,
    as_was,
    close,
    copied_images,
    equal,
    in_a_thread,
    row_of,
    smaller,
    with_negative,
)
from evoray.evaluation.probe import probe
from evoray.evaluation.tracing import Call, differing, first_difference, kept_values, trace
from evoray.models import Parent
from evoray.models.precision import remedy
from evoray.runtime.reading import reason_of
from evoray.runtime.seeds import generators

LOG = logging.getLogger("evoray")
SIGMAS = (0.25, 0.01)
"""Strengths of the child that is tried, in each tensor's scale; the second where the first gives infinities."""
REPEATED = 100
"""Passes over one image, where passes draw random numbers."""
PARTS = "; they part in "
TWO_PASSES = "two passes over the same images give different outputs"
NO_CHANCE = "Dropout and noise have to be off in evaluation mode, and nothing may be kept from one pass to the next"
LOGITS = (
    "EvoRay takes logits, and applies softmax (or the sigmoid) itself. Return what goes into that last step, or the "
    "logarithm of the probabilities"
)
FAR = (100.0, -100.0, 30.0, -30.0)
"""Strengths of the children whose outputs tell probabilities from logits that happen to be small."""


def check_purity(
    parent: Parent,
    export: Export,
    samples: Callable[[torch.dtype], Sample],
    dtype: torch.dtype = torch.float32,
    logits: bool = True,
    what: str = IMAGES,
) -> list[str]:
    """Refuses a parent whose scores would not be those of its exports; returns sentences worth showing.

    Args:
        parent: its module is left as it is, but for a hook that copies images where it writes into them.
        export: what a run writes of it, and how a user loads that.
        samples: batches in a type. dtype: tried where a network does not run in float32.
        logits: whether the task takes logits, so that probabilities are refused.
        what: ``data.counted``'s word for the records, in messages.

    Raises:
        ModelError: what fails, in which module, and what to do.
    """
    check = _Check(parent, export, samples, logits, what)
    if (sample := smaller(samples(torch.float32))) is not None:
        try:
            return check.run(torch.float32, sample)
        except EvorayError:
            raise
        except Exception as error:  # many networks take images of one size alone
            LOG.info("judged on whole images: %s", reason_of(error))
    try:
        return check.run(torch.float32)
    except EvorayError:
        raise
    except Exception as error:
        if dtype == torch.float32:
            raise check.failed(error, dtype) from error
    try:
        return check.run(dtype)
    except EvorayError:
        raise
    except Exception as error:
        raise check.failed(error, dtype) from error


class _Check:
    """The checks of one parent; ``run`` does all in an order in which few passes say everything."""

    def __init__(
        self, parent: Parent, export: Export, samples: Callable[[torch.dtype], Sample], logits: bool, what: str
    ) -> None:
        self._parent, self._export, self._samples, self._logits = parent, export, samples, logits
        self._what = what

    def run(self, dtype: torch.dtype, sample: Sample | None = None) -> list[str]:
        """What is beside an image is far from any other; where that makes the network fail, as one does that looks
        pixels up in a table, it is an image's negative."""
        sample = sample or self._samples(dtype)
        try:
            return self._run(dtype, sample)
        except EvorayError:
            raise
        except Exception:
            if sample.beside is None:
                raise
            return self._run(dtype, with_negative(sample))

    def _run(self, dtype: torch.dtype, sample: Sample) -> list[str]:
        """Seven images pass where nothing is wrong; only what parts from the rest is looked at more closely."""
        passes, host, drawn = Passes(sample), self._host(dtype), generators()
        first = passes(host.forward, sample.twice)
        noted = kept_values(host.model)
        alone = self._alone(passes, host, first)
        kept = kept_values(host.model)
        child, weights = self._child(passes, host)
        last = passes(host.forward, sample.twice if sample.beside is None else sample.beside)
        now = kept_values(host.model)
        if differing(noted, kept) or differing(kept, now):  # what a network notes of each pass is as it was
            in_a_thread(lambda: passes(host.forward, sample.alone))
            now = kept_values(host.model)
        self._check_state(host, kept, now)
        if generators() != drawn:
            self._check_chance(passes, host)
        if not equal(row_of(first, 1), row_of(last, 1)):
            self._blame_passes(sample, dtype)
            self._blame_batch(passes, host)
        self._check_alone(passes, host, first, alone)
        if equal(alone, child) and not all_nan(alone):
            self._refuse(
                "a child's weights do not reach its outputs: they are those of its parent",
                "Weights have to be used in forward as they are then; nothing made of them may be kept, and "
                "mutation.include has to name tensors that the outputs depend on",
            )
        self._check_fresh(passes, host, weights, child)
        if self._logits:
            self._check_logits(passes, host)
        return self._copies_images() if passes.writes_images else []

    def failed(self, error: Exception, dtype: torch.dtype) -> ModelError:
        types = remedy(self._parent.model, error)
        return ModelError(
            f"the parent {self._parent.name}: evaluating it on {self._what} of select failed "
            f"({reason_of(error)}). Its forward has to work in inference mode, on batches of one and more, "
            f"with {self._what} and weights in {str(dtype).removeprefix('torch.')} (compute.dtype)."
            f"{f' {types}' if types else ''}"
        )

    def _host(self, dtype: torch.dtype) -> ModelHost:
        """A host as a worker has it: of a copy that travelled."""
        try:
            model = travelled(self._parent.model, self._export.config_dir)
        except Exception as error:
            raise ModelError(
                f"the parent {self._parent.name} cannot be sent to workers ({reason_of(error)}). Keep "
                "locks, open files, generators and compiled code out of the module."
            ) from error
        return ModelHost(model, self._export.space, "cpu", dtype)

    def _child(self, passes: Passes, host: ModelHost) -> tuple[Outputs, dict[str, Tensor]]:
        """Outputs under a child of finite outputs, and the space's tensors as it is exported."""
        for sigma in SIGMAS:
            with host.child(probe(sigma)):
                weights = host.tensors()
                found = in_a_thread(lambda: passes(host.forward, passes.sample.alone))  # as the parent's
                if changed := host.differing(weights):
                    self._refuse(
                        f"a pass writes to its weights ({', '.join(changed[:3])})",
                        "Compute what forward needs into new tensors, and leave parameters as they are",
                    )
            if all(bool(torch.isfinite(tensor).all()) for tensor in found):
                break
        return found, weights

    def _check_state(self, host: ModelHost, kept: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """kept, now: what was kept after a pass of the parent, and after one that followed its child's."""
        held = host.model.state_dict()
        changed = [name for name, tensor in self._export.state.items() if not as_was(held.get(name), tensor)]
        changed = changed or differing(kept, now)
        if changed:
            self._refuse(
                f"a pass changes {', '.join(changed[:3])}",
                "A pass may change nothing that the next one finds: no counters, running averages, data-dependent "
                "initialisation or hidden state in evaluation mode",
            )

    def _blame_passes(self, sample: Sample, dtype: torch.dtype) -> None:
        """Which of what lay between two passes made them differ, and where; returns where none did."""
        between: list[tuple[str, Callable[[ModelHost, Passes], Any]]] = [
            (TWO_PASSES, lambda host, passes: None),
            (
                "after a pass over other images, the same images give different outputs",
                lambda host, passes: passes(host.forward, sample.alone if sample.beside is None else sample.beside),
            ),
            ("a child that was written and undone leaves a trace in the outputs", self._child_of),
        ]
        for reason, step in between:
            host, passes = self._host(dtype), Passes(sample)
            passes(host.forward, sample.twice)
            before = trace(host.model, lambda: passes(host.forward, sample.twice))  # noqa: B023
            step(host, passes)
            after = trace(host.model, lambda: passes(host.forward, sample.twice))  # noqa: B023
            found = first_difference(before, after)
            if found is not None:
                self._refuse(f"{reason}{_at(found)}", NO_CHANCE)

    def _child_of(self, host: ModelHost, passes: Passes) -> None:
        with host.child(probe(SIGMAS[0])):
            passes(host.forward, passes.sample.twice)

    def _check_chance(self, passes: Passes, host: ModelHost) -> None:
        """Passes drew random numbers: rare chance (a layer dropped now and then) shows in many of them."""
        twice = passes.sample.twice
        expected = passes(host.forward, twice)
        if all(equal(passes(host.forward, twice), expected) for _ in range(REPEATED)):
            return
        calls = [trace(host.model, lambda: passes(host.forward, twice)) for _ in range(REPEATED)]
        found = next((call for one in calls if (call := first_difference(calls[0], one))), None)
        self._refuse(f"{TWO_PASSES}{_at(found)}", NO_CHANCE)

    def _blame_batch(self, passes: Passes, host: ModelHost) -> NoReturn:
        sample = passes.sample
        found = None
        if sample.beside is not None:
            whole = [
                trace(host.model, lambda: passes(host.forward, batch), row=1, rows=2)  # noqa: B023
                for batch in (sample.twice, sample.beside)
            ]
            found = first_difference(*whole)
        if found is None:
            self._refuse(TWO_PASSES, NO_CHANCE)
        self._refuse(
            f"an image's outputs depend on the other images of its batch{_at(found)}",
            "It may not normalise by the batch or mix its images: give BatchNorm running statistics "
            "(track_running_stats=True), and normalise each image by itself",
        )

    def _alone(self, passes: Passes, host: ModelHost, first: Outputs) -> Outputs:
        """The image in a batch of one, on a thread of its own."""
        sample = passes.sample
        try:
            return in_a_thread(lambda: passes(host.forward, sample.alone))
        except Exception:  # a batch of one has no statistics: what depends on the batch is said as such
            if sample.beside is not None:
                beside = passes(host.forward, sample.beside)
                if not equal(row_of(first, 1), row_of(beside, 1)):
                    self._blame_passes(sample, host.dtype)
                    self._blame_batch(passes, host)
            raise

    def _check_alone(self, passes: Passes, host: ModelHost, first: Outputs, alone: Outputs) -> None:
        if [tensor.shape for tensor in alone] != [tensor[:1].shape for tensor in first]:
            self._refuse(
                f"a batch of one gives outputs of shape {[tuple(tensor.shape) for tensor in alone]}",
                "The first dimension has to be the images', also of one: squeeze() with a dimension",
            )
        for row in (0, 1):
            own = row_of(first, row)
            again = partial(in_a_thread, lambda: passes(host.forward, passes.sample.alone))
            if not close(alone, own) and not as_rounded(host.model, alone, own, again):
                self._refuse(
                    "an image gives other outputs alone, or on another thread, than in a batch",
                    "Outputs may depend neither on the size of the batch, nor on an image's place in it, nor on "
                    "settings of a thread (autocast)",
                )

    def _check_fresh(self, passes: Passes, host: ModelHost, weights: Mapping[str, Tensor], child: Outputs) -> None:
        found = same_as_fresh(passes, passes.sample.alone, host.dtype, self._export, weights, child)
        if found is None:
            return
        with host.child(probe(SIGMAS[0])):  # the names of what differs; the strength does not matter to them
            weights = host.tensors()
            mine = trace(host.model, lambda: passes(host.forward, passes.sample.alone))
            own = kept_values(host.model)
        model = cast_floating(self._export.loaded(weights), host.dtype, host.device)
        its = trace(model, lambda: passes(model, passes.sample.alone))
        kept = [path for path in differing(own, kept_values(model)) if not path.endswith("num_batches_tracked")]
        also = f", and it keeps {', '.join(kept[:3])}, which the exported weights do not determine" if kept else ""
        self._refuse(
            f"a fresh network loaded with a child's exported weights gives other outputs than the child has here"
            f"{_at(first_difference(mine, its))}{also}",
            "Whatever outputs depend on has to be in state_dict() (nn.Parameter, register_buffer, nn.ModuleList), or "
            "be computed from it in forward; what is kept of it has to be dropped in train() and computed anew after "
            "eval()",
        )

    def _check_logits(self, passes: Passes, host: ModelHost) -> None:
        """Probabilities (nonnegative, of sum 1), or a sigmoid's outputs: in 0 to 1 however strong the weights are."""
        own = [_scores(one[0]) for one in passes.said if len(one) == 1 and one[0].is_floating_point()]
        own = [one for one in own if one.ndim == 2]
        said = [one.double() for one in own]
        said = [one for one in said if one.shape[1] > 1 and bool(torch.isfinite(one).all())]
        total = _one_total(said)
        if total is not None and total > 1 and self._keeps_total(passes, host, total):
            self._refuse(f"its outputs are probabilities times {total:g}: each image's add up to that", LOGITS)
        if not said or not all(map(_bounded, said)):
            return
        far = []
        for sigma in FAR:
            with host.child(probe(sigma)):
                far.append(_scores(passes(host.forward, passes.sample.alone)[0]).double().nan_to_num(0.0))
        if not all(map(_bounded, far)) or not any(bool((one > 0.5).any()) for one in far):
            return
        slack = max(torch.finfo(one.dtype).eps for one in own) ** 0.5
        add_up = all(bool(((one.sum(1) - 1).abs() <= slack).all()) for one in said)
        what = "probabilities, which add up to 1" if add_up else "between 0 and 1, as a sigmoid's are"
        calls = trace(host.model, lambda: passes(host.forward, passes.sample.alone))
        last = next(call for call in calls if call.outputs == calls[-1].outputs)
        self._refuse(f"its outputs are {what}; they come from {last.where}", LOGITS)

    def _keeps_total(self, passes: Passes, host: ModelHost, total: float) -> bool:
        """Whether outputs are never negative and add up to the total however strong the weights are."""
        far = []
        for sigma in FAR:
            with host.child(probe(sigma)):
                far.append(_scores(passes(host.forward, passes.sample.alone)[0]).double())
        finite = [one for one in far if bool(torch.isfinite(one).all())]
        return len(finite) > 1 and all(_one_total([one]) == total for one in finite)

    def _copies_images(self) -> list[str]:
        self._parent.model.register_forward_pre_hook(copied_images, prepend=True)
        return [f"the parent {self._parent.name} writes into the {self._what} that it is given, so it is given copies"]

    def _refuse(self, reason: str, remedy: str) -> NoReturn:
        own, parts, where = reason.partition(PARTS)  # names of modules stay as they are
        said = f"{counted(own, self._what)}{parts}{where}. {counted(remedy, self._what)}."
        raise ModelError(f"the parent {self._parent.name}: {said}")


def _scores(outputs: Tensor) -> Tensor:
    """Scores of classes [n, K]: of maps [b, K, h, w] those of every pixel."""
    return outputs.movedim(1, -1).flatten(0, 2) if outputs.ndim == 4 else outputs


def _one_total(outputs: Sequence[Tensor]) -> float | None:
    """What every row adds up to, to three digits, where nothing is negative and all add up to the same."""
    if any(bool((one < 0).any()) for one in outputs):
        return None
    totals = {float(f"{total:.3g}") for one in outputs for total in one.sum(1).tolist()}
    return totals.pop() if len(totals) == 1 else None


def _bounded(outputs: Tensor) -> bool:
    return bool(((outputs >= 0) & (outputs <= 1)).all())


def _at(call: Call | None) -> str:
    return "" if call is None else f"{PARTS}{call.where}"
