"""What a user brings: a network that reads words, and the task of reading them right.

It is a CRNN (Shi, Bai & Yao 2015, arXiv 1507.05717) with the layers of EasyOCR's English one, whose weights fill it. It
scores characters, or none, at each of 47 places; CTC's decoding makes a word of that (the likeliest of each place,
repeats once, none dropped), and what counts is the word: no gradient comes through.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from evoray.data.schema import Schema
from evoray.tasks.base import Figure, Measure
from evoray.tasks.generation.task import key_of
from evoray.tasks.generation.votes import Votes
from evoray.tasks.inputs import answer_of
from evoray.tasks.targets import TargetTask

CHARACTERS = "\0" + string.digits + string.punctuation + " €" + string.ascii_uppercase + string.ascii_lowercase
LONGEST = 24


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(256, 256, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(512, 256)

    def forward(self, states: Tensor) -> Tensor:
        return self.linear(self.rnn(states)[0])


class Reader(nn.Module):
    """Grey pictures [b, 1, 64, w] -> scores of a character at each place, [b, w // 4 - 1, 97]; the first is none."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        wide = (1, 32, 64, 128, 128, 256, 256)
        for at, pool in enumerate((2, 2, None, (2, 1), None, (2, 1))):
            layers.append(nn.Conv2d(wide[at], wide[at + 1], 3, padding=1, bias=at < 4))
            layers += [nn.ReLU()] if at < 4 else [nn.BatchNorm2d(256), nn.ReLU()]
            layers += [nn.MaxPool2d(pool)] if pool else []
        self.FeatureExtraction = nn.ModuleDict({"ConvNet": nn.Sequential(*layers, nn.Conv2d(256, 256, 2), nn.ReLU())})
        self.SequenceModeling = nn.Sequential(Recurrent(), Recurrent())
        self.Prediction = nn.Linear(256, len(CHARACTERS))

    def forward(self, pictures: Tensor) -> Tensor:
        seen = self.FeatureExtraction["ConvNet"](pictures).mean(dim=2).transpose(1, 2)
        return self.Prediction(self.SequenceModeling(seen))


class Read(NamedTuple):
    """codes int64 [b, 47], a word's characters and zeros behind; reward [b], how sure it is; key [b], of the vote."""

    codes: Tensor
    reward: Tensor
    key: Tensor


class Words(TargetTask):
    """Targets are words in the shards, and codes [n, LONGEST] with zeros behind beside the network."""

    schema = Schema(task="regression", columns={"target": "string"}, target="target")  # read as regression's, but words
    columns = ("n", "invalid", "errors", "right")
    scored = ("errors", "right")
    measures: Mapping[str, Measure] = {
        "errors": Measure("Character errors", "fraction", False, "Errors"),
        "right": Measure("Words right", "fraction", True, "Right"),
    }

    def targets(self, records, rows, device):
        words = [records["target"][row].ljust(LONGEST, CHARACTERS[0]) for row in rows]
        return torch.tensor([[CHARACTERS.index(one) for one in word] for word in words], device=device)

    def outputs(self, network, batch):
        sure, codes = answer_of(network, batch).float().log_softmax(dim=2).max(dim=2)
        keep = (codes > 0) & (codes != torch.nn.functional.pad(codes, (1, 0))[:, :-1])
        order = (~keep).int().argsort(dim=1, stable=True)
        codes = torch.where(keep, codes, 0).gather(1, order)
        return Read(codes, sure.sum(dim=1), torch.tensor([key_of(word_of(one)) for one in codes]).to(codes.device))

    def records(self, read, targets):
        pairs = [(word_of(codes), word_of(wanted)) for codes, wanted in zip(read.codes, targets, strict=True)]
        errors = torch.tensor([distance(found, wanted) / len(wanted) for found, wanted in pairs], dtype=torch.float64)
        errors[~read.reward.isfinite().cpu()] = torch.nan
        return {"errors": errors.numpy(), "right": (errors == 0).double().numpy()}

    def combine(self, method):
        return Votes()

    def figures(self, total):
        return {name: Figure(total[name] / total["n"], self.measures[name]) for name in self.scored}


def word_of(codes: Tensor) -> str:
    return "".join(CHARACTERS[int(one)] for one in codes.tolist() if one)


def distance(found: str, wanted: str) -> int:
    """Characters to put in, take out or change (Levenshtein)."""
    row = list(range(len(wanted) + 1))
    for at, one in enumerate(found, 1):
        before, row[0] = row[0], at
        for to, other in enumerate(wanted, 1):
            before, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, before + (one != other))
    return row[-1]
