"""Who is in the ensemble, how its members are combined, and how well its confidence can be trusted."""

from evoray.ensembles.calibration import BINS, Reliability, ece, reliability_sums
from evoray.ensembles.combine import RunningMean, RunningVote, make_combiner
from evoray.ensembles.diversity import Diversity, diversity_sums
from evoray.ensembles.logits import logits_name
from evoray.ensembles.selection import Member, Selection, greedy, top_k, weighted
from evoray.ensembles.temperature import fit_temperature, temperature_sums

__all__ = [
    "BINS",
    "Diversity",
    "Member",
    "Reliability",
    "RunningMean",
    "RunningVote",
    "Selection",
    "diversity_sums",
    "ece",
    "fit_temperature",
    "greedy",
    "logits_name",
    "make_combiner",
    "reliability_sums",
    "temperature_sums",
    "top_k",
    "weighted",
]
