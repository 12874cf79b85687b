"""Many runs as one experiment: the paper's study on any data set and list of parents, and its tables."""

from evoray.study.checking import check_cases as check_cases
from evoray.study.config import (
    StudyConfig as StudyConfig,
    load_study as load_study,
    seeds_of as seeds_of,
    seeds_override as seeds_override,
)
from evoray.study.images import ingest_missing as ingest_missing
from evoray.study.outcome import Outcome as Outcome
from evoray.study.plan import Case as Case, Planned as Planned, cases as cases
from evoray.study.runner import run_study as run_study, unfinished as unfinished
from evoray.study.tables import all_tables as all_tables
from evoray.study.writing import write_study as write_study
