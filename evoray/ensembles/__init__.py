"""Who is in the ensemble, how its members are combined, and how well its confidence can be trusted."""

from evoray.ensembles.calibration import BINS, Reliability, ece, reliability_sums
from evoray.ensembles.combine import RunningMean
from evoray.ensembles.logits import logits_name
from evoray.ensembles.members import top_k
from evoray.ensembles.panel import MAX_CLASSES, Member, PanelUnit

__all__ = [
    "BINS",
    "MAX_CLASSES",
    "Member",
    "PanelUnit",
    "Reliability",
    "RunningMean",
    "ece",
    "logits_name",
    "reliability_sums",
    "top_k",
]
