"""Damaged files of a run directory: every command that reads them says so in one message."""

from __future__ import annotations

import shutil

import pytest
from damages import BYTES, PLACES, TEXTS, VALUES, set_value, without
from program import assert_clean, call

CHILD = "a child without a lineage of its own"
READERS = {
    "summary.json": ["show", "run"],
    "population.parquet": ["show", "run"],
    "space.json": ["export", "run", "soup", "-o", "out.safetensors"],
    "lineage/soup.json": ["export", "run", "soup", "-o", "out.safetensors"],
    "lineage/parent.json": ["export", "run", CHILD, "-o", "out.safetensors"],
    "lineage/bases/g0000.json": ["export", "run", CHILD, "-o", "out.safetensors"],
    "lineage/best.json": ["rebuild", "run/lineage/best.json", "run/parent.safetensors", "-o", "out.safetensors"],
}
"""A file of a run, and a command that reads it."""
CASES = [
    (name, damage) for name in READERS for damage in (*PLACES, *BYTES, *(() if name.endswith("parquet") else TEXTS))
]


def spelled(place, arguments):
    child = next(f"g0000/c000{n}" for n in range(4) if not (place / f"run/lineage/g0000/c000{n}.json").exists())
    return [child if word == CHILD else word for word in arguments]


def damaged(place, name, damage):
    (PLACES | BYTES | TEXTS)[damage](place / "run" / name)


def test_the_commands_end_well_on_good_files(place, good):
    for arguments in READERS.values():
        good(*spelled(place, arguments))
        (place / "out.safetensors").unlink(missing_ok=True)


@pytest.mark.parametrize(("name", "damage"), CASES)
def test_a_damaged_file_is_one_message_that_names_it(place, name, damage):
    damaged(place, name, damage)
    outcome = call(*spelled(place, READERS[name]))
    assert_clean(outcome, may_be_good=damage in ("a byte flipped early", "a byte flipped late"))
    assert not outcome.code or not list(place.glob("out*"))
    if outcome.code and name != "space.json" and damage not in ("an empty object", "a folder"):
        assert name.rpartition("/")[2] in outcome.message or "lineage" in outcome.message


SUMMARY = [
    *("verdict", "parent", "parent.test", "parent.test.nll", "parent.test.top1", "parent.select", "best_child"),
    *("best_child.id", "best_child.nll", "soup", "soup.id", "ensemble", "ensemble.members", "ensemble.members.0"),
    *("ensemble.members.0.id", "ensemble.nll", "comparisons", "comparisons.0", "comparisons.0.metric"),
    *("comparisons.0.ci95", "comparisons.0.p_value", "children", "work", "mutation", "splits", "fitness"),
]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("keys", SUMMARY)
def test_a_value_of_another_kind_in_a_summary(place, keys, number):
    names = list(VALUES)
    name = names[(SUMMARY.index(keys) + 3 * number) % len(names)]
    set_value(place / "run" / "summary.json", keys, VALUES[name])
    assert_clean(call("show", "run"), may_be_good=True)


@pytest.mark.parametrize("keys", SUMMARY)
def test_a_key_that_a_summary_lacks(place, keys):
    without(place / "run" / "summary.json", keys)
    assert_clean(call("show", "run"), may_be_good=True)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("parent.select.nll", "0.5"),
        ("ensemble.curve", [{"size": "three", "nll": 1.0, "top1": 0.5}]),
        ("ensemble.diversity", {"pairs": {"disagreement": [[0.0, "x"], [0.1]]}}),
        ("work.stages", {"child": "long"}),
        ("reliability", {"parent": {"counts": [1, 2], "confidence": [0.5], "hits": [1, 1]}}),
        ("children.sample", [{"select": "x", "test": 1.0}, {"select": 1.0, "test": 2.0}]),
        ("comparisons", [{"name": "soup", "metric": "nll", "difference": 1.0, "ci95": [0.1], "p_value": 0.5}]),
    ],
)
def test_a_page_is_not_drawn_of_a_summary_of_other_kinds(place, keys, value):
    set_value(place / "run" / "summary.json", keys, value)
    assert_clean(call("report", "run"))
    assert not (place / "run" / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "[]"),
        ("config.json", '{"parent": 3}'),
        ("window.json", '{"parent": {"top1": 0.5}, "cells": [{"sigma": 0, "density": 0.1}]}'),
        ("window.json", '{"parent": {"top1": 0.5}, "cells": [{"sigma": 0.1, "density": 0}]}'),
        ("window.json", '{"parent": {"top1": "x"}, "cells": []}'),
        ("window.json", '{"parent": {"top1": 0.5}, "cells": [{"sigma": 0.1, "density": 0.5}]}'),
        ("window.json", '{"parent": {"top1": 0.5}, "widest": [{"density": 0}], "cells": []}'),
        ("window.json", "3"),
    ],
)
def test_a_page_is_not_drawn_of_other_documents(place, name, content):
    (place / "run" / name).write_text(content)
    assert_clean(call("report", "run"))
    assert not (place / "run" / "report.html").exists()


LINEAGE = [
    *("format", "parent", "parent.name", "parent.sha256", "space", "space.sha256", "space.tensors"),
    *("space.tensors.0", "space.tensors.0.name", "space.tensors.0.shape", "space.tensors.0.dtype"),
    *("space.tensors.0.scale", "entries", "entries.0", "entries.0.weight", "entries.0.mutation"),
    *("entries.0.mutation.parts", "entries.0.mutation.sigma", "entries.0.mutation.mask_seed", "weights_sha256"),
]


@pytest.mark.parametrize("keys", LINEAGE)
def test_a_value_of_another_kind_in_a_lineage(place, keys):
    """Signed by nobody: without ``sha256`` a lineage is looked into as far as it goes."""
    path = place / "run" / "lineage" / "best.json"
    names = list(VALUES)
    without(path, "sha256")
    set_value(path, keys, VALUES[names[LINEAGE.index(keys) % len(names)]])
    outcome = call("rebuild", path, "run/parent.safetensors", "-o", "out.safetensors")
    assert_clean(outcome, may_be_good=keys == "parent.name")
    assert not outcome.code or not list(place.glob("out*"))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("space.tensors.0.shape", [2**40, 2**40]),
        ("space.tensors.0.shape", [-1, 3]),
        ("space.tensors.0.shape", [1] * 100),
        ("space.tensors.0.dtype", ["float32"]),
        ("space.tensors.0.name", "\x1b[31m"),
        ("entries.0.weight", 1e39),
        ("entries.0.mutation", {"kind": "os:system"}),
        ("entries.0.mutation", {"kind": "\x1b[2Jx:y"}),
        ("entries.0.mutation.parts", 2**63),
        ("entries.0.mutation.part", -1),
        ("parent.aliases", {"x": "nowhere"}),
        ("parent.aliases", {"x": ["nowhere"]}),
    ],
)
def test_a_lineage_that_asks_for_the_impossible(place, keys, value):
    path = place / "run" / "lineage" / "best.json"
    without(path, "sha256")
    set_value(path, keys, value)
    assert_clean(call("rebuild", path, "run/parent.safetensors", "-o", "out.safetensors"))
    assert not list(place.glob("out*"))


@pytest.mark.parametrize(
    "member",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "",
        "nobody",
        "g0000/c9999",
        "\x1b[31m",
        "a\nb",
        "x" * 5000,
        "soup/",
    ],
)
def test_a_member_that_is_none(place, member):
    assert_clean(call("export", "run", member, "-o", "out.safetensors"))
    assert not list(place.glob("out*"))


def test_statistics_of_another_soup_are_refused(place):
    shutil.copy(place / "run" / "parent.safetensors", place / "run" / "lineage" / "soup_recalibrated.safetensors")
    outcome = call("export", "run", "soup_recalibrated", "-o", "out.safetensors")
    assert_clean(outcome)
    assert "summary.json" in outcome.message
