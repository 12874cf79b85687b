"""Every number of a configuration has an end, and what is generous stays allowed."""

from __future__ import annotations

import pytest

from evoray.config import parse_config
from evoray.errors import ConfigError
from evoray.runtime import limits

BASE = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mock:"}}
AT_MOST = {
    "search.children": limits.CHILDREN,
    "search.generations": limits.GENERATIONS,
    "search.elite": limits.MEMBERS,
    "ensemble.size": limits.MEMBERS,
    "ensemble.pool": limits.MEMBERS,
    "soup.size": limits.MEMBERS,
    "statistics.children_on_test": limits.CHILDREN,
    "compute.workers": limits.WORKERS,
    "compute.cpus_per_worker": limits.CORES,
    "compute.threads_per_worker": limits.CORES,
    "compute.gpus_per_worker": limits.GPUS,
    "compute.batch_size": limits.BATCH,
    "compute.resident_gib": limits.GIB,
    "data.cache_gb": limits.CACHE_GB,
    "mutation.parts": 2**31,
    "seed": limits.SEED,
}


def with_value(key, value):
    section, _, name = key.partition(".")
    return BASE | ({section: BASE.get(section, {}) | {name: value}} if name else {key: value})


@pytest.mark.parametrize("key", AT_MOST)
def test_the_largest_is_allowed_and_the_next_is_refused_by_name(key):
    parse_config(with_value(key, AT_MOST[key]))
    for value in (AT_MOST[key] + 1, AT_MOST[key] * 10**12):
        with pytest.raises(ConfigError, match=rf"{key} = .*: give a (whole )?number .*(to|at most) [\d,]+"):
            parse_config(with_value(key, value))


@pytest.mark.parametrize("key", [key for key in AT_MOST if key != "seed"])
@pytest.mark.parametrize("value", [True, float("nan"), "x", [], {}, -1])
def test_values_of_other_kinds_are_refused(key, value):
    with pytest.raises(ConfigError, match=key.rpartition(".")[2]):
        parse_config(with_value(key, value))


def test_all_children_together(tmp_path):
    with pytest.raises(ConfigError, match="at most 10,000,000 children in all"):
        parse_config(BASE | {"search": {"children": 10**4, "generations": 10**4}})


@pytest.mark.parametrize("key", ["parent.name", "data.path", "task.name", "compute.backend", "fitness.name"])
def test_a_megabyte_of_a_name_is_refused_in_a_line(key):
    with pytest.raises(ConfigError) as found:
        parse_config(with_value(key, "x" * 2**20))
    why = "is none of" if key == "task.name" else "at most 4,096 characters"
    assert len(str(found.value)) < 1000 and why in str(found.value)


def test_local_workers_are_threads():
    with pytest.raises(ConfigError, match="local workers are threads, at most 256"):
        parse_config(BASE | {"compute": {"backend": "local", "workers": 257}})


def test_thousands_of_wrong_keys_are_ten_and_a_number():
    with pytest.raises(ConfigError, match=r"and 4,990 more$"):
        parse_config(BASE | {f"key{number}": number for number in range(5000)})
