"""Who is in the ensemble, how its members differ, and how far its confidence can be scaled to be trusted."""

from evoray.ensembles.diversity import Diversity, diversity_sums
from evoray.ensembles.logits import logits_name
from evoray.ensembles.selection import Member, Selection, greedy, top_k, weighted
from evoray.ensembles.temperature import fit_temperature, temperature_sums

__all__ = [
    "Diversity",
    "Member",
    "Selection",
    "diversity_sums",
    "fit_temperature",
    "greedy",
    "logits_name",
    "temperature_sums",
    "top_k",
    "weighted",
]
