"""A user's own task: what kind of file is a snippet of? For Magika's network, which is made for whole files."""

from __future__ import annotations

from collections.abc import Mapping

from evoray.tasks.base import Figure, Measure
from evoray.tasks.regression import Regression
from evoray.tasks.targets import TargetTask


class Kind(TargetTask):
    """Outputs are logits [n, 214]; targets the number of the right one [n, 1]."""

    schema = Regression.schema  # records as regression's, so that data ingest reads them
    columns = ("n", "invalid", "nll", "right")
    scored = ("nll", "right")
    measures: Mapping[str, Measure] = {
        "nll": Measure("NLL", "nats per snippet", False, "NLL"),
        "right": Measure("Kinds right", "fraction", True, "Right"),
    }

    def records(self, outputs, targets):
        log_p, right = outputs.double().cpu().log_softmax(dim=1), targets.cpu().long()
        nll = -log_p.gather(1, right)[:, 0]
        return {"nll": nll.numpy(), "right": (log_p.argmax(dim=1) == right[:, 0]).double().numpy()}

    def figures(self, total):
        return {name: Figure(total[name] / total["n"], self.measures[name]) for name in self.scored}
