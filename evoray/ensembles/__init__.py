"""Who is in the ensemble, how its members differ, and how far its confidence can be scaled to be trusted."""

from evoray.ensembles.diversity import Diversity as Diversity, diversity_sums as diversity_sums
from evoray.ensembles.logits import logits_name as logits_name
from evoray.ensembles.selection import Member as Member, Selection as Selection, greedy as greedy, top_k as top_k
from evoray.ensembles.selection import weighted as weighted
from evoray.ensembles.temperature import fit_temperature as fit_temperature, temperature_sums as temperature_sums
