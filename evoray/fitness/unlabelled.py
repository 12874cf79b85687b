"""Fitnesses that ask no labels: for records of another kind than a parent was trained on, such as photographs in fog.

``entropy``: minus the mean entropy of the answers (Wang et al. 2021, arXiv 2006.10726). It is also highest for a
network that gives every record one class with certainty, so it suits few and small steps.
``information``: what an answer tells of its record, H(mean of p) - mean of H(p) (Bridle et al. 1991; Liang et al. 2020,
arXiv 2002.08546); one class for all is worth 0.
``agreement``: how near the scores of the classes are to the parent's on clean records, in mean and spread: at the
outputs what Niu et al. (2024, arXiv 2404.01650, equation 5) compare in every layer.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from evoray.fitness.scores import MinusMean
from evoray.tasks.base import Classification, Measure, Outputs
from evoray.tasks.sums import SumsLayout


class Entropy(MinusMean):
    """Minus the mean entropy of the probabilities, in nats."""

    name = "entropy"
    measure = Measure("Entropy (no labels)", "nats per record", False, "Entropy", "entropy of the answers")

    def scores(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        """float64 [n]: minus each record's entropy."""
        return -_entropy(self._classes.log_probabilities(outputs).exp()).cpu().numpy()

    compared = scores


class _OfAll(ABC):
    """Made of all records together: of the sums over them of what ``_each`` gives.

    Args:
        classes: the data's; outputs: the parent's output for each of them, None where class i is output i.
    """

    scores = None

    def __init__(
        self, columns: tuple[str, ...], classification: Classification, classes: int, outputs: Sequence[int] | None
    ) -> None:
        self._classification = classification
        self._outputs = list(range(classes)) if outputs is None else list(outputs)
        self.layout = SumsLayout(columns, own=self._width(classes))

    def compared(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        """float64 [n]: divergence of each record's probabilities from the mean of these records', in nats."""
        p = self._probabilities(outputs)
        return (torch.xlogy(p, p) - torch.xlogy(p, p.mean(dim=0))).sum(dim=1).cpu().numpy()

    def sums(self, outputs: Outputs, targets: Tensor) -> np.ndarray:
        return self._each(outputs).sum(dim=0).cpu().numpy()

    def _probabilities(self, outputs: Outputs) -> Tensor:
        """float64 [n, classes + 1]: of the data's classes, and of all else together."""
        p = self._classification.log_probabilities(outputs).exp()[:, self._outputs]
        return torch.cat([p, (1 - p.sum(dim=1, keepdim=True)).clamp(min=0)], dim=1)

    def _means(self, total: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.layout.of_fitness(total) / self.layout.column(total, "n")
        return found

    @abstractmethod
    def _width(self, classes: int) -> int: ...

    @abstractmethod
    def _each(self, outputs: Outputs) -> Tensor:
        """float64 [n, width]."""


class Information(_OfAll):
    """Mutual information of record and answer, in nats: 0 to the logarithm of the number of classes."""

    name = "information"
    measure = Measure("Information (no labels)", "nats per record", True, "Information", "information of the answers")

    def _width(self, classes: int) -> int:
        return classes + 2

    def _each(self, outputs: Outputs) -> Tensor:
        p = self._probabilities(outputs)
        return torch.cat([p, _entropy(p)[:, None]], dim=1)

    def value(self, total: np.ndarray) -> float:
        means = self._means(total)
        return float(_entropy(torch.from_numpy(means[:-1]))) - float(means[-1])


class Agreement(_OfAll):
    """Minus (rms of the differences of means + rms of those of standard deviations), in nats: of each class's score
    over records here, and the parent's over clean ones. A score is a log-probability less its mean over the classes.

    Args:
        reference: float64 [2, classes], the parent's (``moments``); None until the parent is loaded.
    """

    name = "agreement"
    measure = Measure("Disagreement (no labels)", "nats", False, "Disagreement", "disagreement with clean records")

    def __init__(
        self,
        columns: tuple[str, ...],
        classification: Classification,
        classes: int,
        outputs: Sequence[int] | None,
        reference: np.ndarray | None = None,
    ) -> None:
        super().__init__(columns, classification, classes, outputs)
        self._reference = reference

    def _width(self, classes: int) -> int:
        return 2 * classes

    def _each(self, outputs: Outputs) -> Tensor:
        scores = self._classification.log_probabilities(outputs)[:, self._outputs]
        scores = scores - scores.mean(dim=1, keepdim=True)
        return torch.cat([scores, scores.square()], dim=1)

    def moments(self, outputs: Outputs) -> np.ndarray:
        """float64 [2, classes]: mean and standard deviation of each class's score."""
        return _moments(self._each(outputs).mean(dim=0).cpu().numpy())

    def value(self, total: np.ndarray) -> float:
        assert self._reference is not None, "known once the parent is loaded"
        apart = np.square(_moments(self._means(total)) - self._reference).mean(axis=1)
        return -float(np.sqrt(apart).sum())


def _moments(means: np.ndarray) -> np.ndarray:
    """Of means of scores and of their squares, float64 [2 * classes]."""
    mean, square = means.reshape(2, -1)
    return np.stack([mean, np.sqrt(np.maximum(square - mean**2, 0))])


def _entropy(p: Tensor) -> Tensor:
    """Of the last dimension; 0 log 0 is 0."""
    found: Tensor = torch.special.entr(p).sum(dim=-1)
    return found


UNLABELLED = (Entropy.name, Information.name, Agreement.name)
