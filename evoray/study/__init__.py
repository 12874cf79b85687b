"""Many runs as one experiment: the paper's study on any data set and list of parents, and its tables."""

from evoray.study.checking import check_cases
from evoray.study.config import StudyConfig, load_study, seeds_override
from evoray.study.images import ingest_missing
from evoray.study.outcome import Outcome
from evoray.study.plan import Case, Planned, cases
from evoray.study.runner import run_study, unfinished
from evoray.study.tables import all_tables
from evoray.study.writing import write_study

__all__ = [
    "Case",
    "Outcome",
    "Planned",
    "StudyConfig",
    "all_tables",
    "cases",
    "check_cases",
    "ingest_missing",
    "load_study",
    "run_study",
    "seeds_override",
    "unfinished",
    "write_study",
]
