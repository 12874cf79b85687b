"""A task of your own: how far is a picture turned? 359 degrees and 1 are 2 apart, which no squared error knows."""

from typing import Annotated

import torch
from pydantic import Field

from evoray.tasks.base import Figure, Measure
from evoray.tasks.regression import Regression
from evoray.tasks.targets import TargetTask


class Angle(TargetTask):
    """The network gives cosine and sine [n, 2]; targets are degrees [n]. Batches and sums are TargetTask's."""

    schema = Regression.schema  # records as regression's, so that data ingest reads them
    columns = ("n", "invalid", "off", "within")
    scored = ("off", "within")  # kept of every record; the first is what children are ranked by

    def __init__(self, within: Annotated[float, Field(gt=0, le=180)] = 15.0):  # a key: task.within
        self.limit = within
        self.measures = {
            "off": Measure("Mean angle off", "degrees", False, "Off"),
            "within": Measure(f"Within {within:g} degrees", "fraction", True, f"Within {within:g}°"),
        }

    def records(self, outputs, targets):
        cosine, sine = outputs.double().cpu().unbind(1)
        turned = torch.rad2deg(torch.atan2(sine, cosine))
        off = (turned - targets.double().cpu().flatten() + 180).remainder(360).sub(180).abs()
        return {"off": off.numpy(), "within": (off <= self.limit).double().numpy()}

    def figures(self, total):
        return {name: Figure(total[name] / total["n"], self.measures[name]) for name in self.scored}
