"""Which fitness, sigma and length of step suit adaptation: one step of 28 children, scored with labels.

``PYTHONPATH=tests/integration:tests/benchmarks/gain python tests/benchmarks/adaptation/steps.py RESULTS.json`` on the
pilot's cut of the photographs. Fourteen antithetic pairs of dense Gaussian mutations of BatchNorm's affine parameters
are judged on one half under a corruption; by each fitness the network moves along the sum of the mutations weighted
by centred ranks (a step), or to the mean of the four fittest. A row: change of NLL and top-1 on that half, and on the
other.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import lite0
import numpy as np
import torch
from corruptions import CORRUPTIONS
from evoray.strategies.shaping import centred_ranks
from images import cut, of_foolbox
from photographs import SEVERITY, SIDE, clean_views, halves, views

from evoray.fitness import Fitness, FitnessSpec
from evoray.tasks.image_classification import ImageClassification

KINDS = ("gaussian_noise", "defocus_blur", "contrast")
SIGMAS, PAIRS, PILOT_SEED = (0.006, 0.02), 14, 100
TASK, CLASSES = ImageClassification(), tuple(map(str, range(1000)))
Change = dict[str, torch.Tensor]


class Network:
    """EfficientNet-Lite0 in bfloat16; its norms can be changed."""

    def __init__(self) -> None:
        self.model = lite0.parent().model.eval()
        self.state = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.norms = [name for name, _ in self.model.named_parameters() if "_bn" in name]

    def drawn(self, sigma: float, generator: torch.Generator) -> Change:
        """Standard deviation: sigma times each tensor's root mean square."""
        own = ((name, self.state[name]) for name in self.norms)
        return {
            name: sigma * value.square().mean().sqrt() * torch.randn(value.shape, generator=generator)
            for name, value in own
        }

    def answers(self, change: Change, images: torch.Tensor) -> torch.Tensor:
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.state | {name: self.state[name] + value for name, value in change.items()})
        model.to(torch.bfloat16, memory_format=torch.channels_last)
        with torch.inference_mode():
            found: torch.Tensor = model(images).double()
        return found


def tensor(images: list[np.ndarray]) -> torch.Tensor:
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    return ((stacked - 127) / 128).bfloat16().contiguous(memory_format=torch.channels_last)


def halves_of(kind: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(images, labels) of each half of the pilot's cut."""
    files, random = of_foolbox(), np.random.default_rng(3)
    found = []
    for numbers in halves(PILOT_SEED):
        shown = [
            (CORRUPTIONS[kind](view, SEVERITY, random), int(files[number].stem.rpartition("_")[2]))
            for number in numbers
            for view in views(cut(files[number], SIDE))
        ]
        found.append((tensor([image for image, _ in shown]), torch.tensor([label for _, label in shown])))
    return found


def value(fitness: Fitness, outputs: torch.Tensor) -> float:
    nobody = torch.zeros(len(outputs), dtype=torch.int64)
    return fitness.value(fitness.layout.row(TASK.sums(outputs, nobody), fitness.sums(outputs, nobody)))


def scored(outputs: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    """NLL and top-1."""
    nll = -outputs.log_softmax(1).gather(1, labels[:, None]).mean()
    return np.array([float(nll), float((outputs.argmax(1) == labels).double().mean())])


def ways(fits: list[float]) -> dict[str, np.ndarray]:
    """Weights of the children. A step of length 1 adds up to about half a sigma in every weight."""
    ranks = centred_ranks(fits)
    step = 2 * ranks / np.abs(ranks).sum()
    top = np.argsort(fits)[-4:]
    return {"step": step, "three steps": 3 * step, "mean of four": np.isin(np.arange(len(fits)), top) / 4}


def tried(network: Network, fitnesses: dict[str, Fitness], kind: str, sigma: float) -> dict[str, list[float]]:
    own = halves_of(kind)
    before = [scored(network.answers({}, images), labels) for images, labels in own]
    generator, children = torch.Generator().manual_seed(4), list[Change]()
    for _ in range(PAIRS):
        drawn = network.drawn(sigma, generator)
        children += [drawn, {name: -one for name, one in drawn.items()}]
    answers = [network.answers(child, own[0][0]) for child in children]
    fits = {name: np.array([value(one, outputs) for outputs in answers]) for name, one in fitnesses.items()}
    alike = {name: (values - values.mean()) / values.std() for name, values in fits.items()}
    fits |= {f"agreement + {name}": alike["agreement"] + alike[name] for name in ("entropy", "information")}
    found = {}
    for name, values in fits.items():
        for way, weights in ways(values.tolist()).items():
            change = {
                norm: sum(float(weight) * child[norm] for weight, child in zip(weights, children, strict=True))
                for norm in network.norms
            }
            after = [scored(network.answers(change, images), labels) for images, labels in own]
            gained = np.concatenate([one - other for one, other in zip(after, before, strict=True)])
            found[f"{name}/{way}"] = gained.round(4).tolist()
    return found


def main() -> None:
    torch.set_num_threads(1)
    network, results = Network(), Path(sys.argv[1])
    clean = network.answers({}, tensor(list(clean_views())))
    specs = {name: FitnessSpec(name, CLASSES) for name in ("agreement", "information", "entropy")}
    specs["agreement"] = specs["agreement"].with_reference(TASK, clean, "")
    fitnesses = {name: spec.make(TASK, str) for name, spec in specs.items()}
    known: dict[str, Any] = {}
    for kind in KINDS:
        for sigma in SIGMAS:
            for case, gained in tried(network, fitnesses, kind, sigma).items():
                known.setdefault(f"{sigma}/{case}", {})[kind] = gained
            results.write_text(json.dumps(known))
    for case, by_kind in sorted(known.items(), key=lambda one: np.mean(list(one[1].values()), axis=0)[0]):
        print(case, np.mean(list(by_kind.values()), axis=0).round(3))


if __name__ == "__main__":
    main()
