"""The card says what the summary says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from finished_files import config, population, summary

from evoray.config import parse_config
from evoray.errors import UsageError
from evoray.results.export import Member
from evoray.sharing.card import Use, card, cell, rows_of
from evoray.storage.directory import RunDirectory

__all__ = ["config", "population", "summary"]
RECIPE = {"parent": {"name": "resnet50", "sha256": "ab" * 32}, "entries": [{}, {}]}
MEMBER = Member({}, "cd" * 32, json.dumps(RECIPE).encode())


@pytest.fixture
def directory(tmp_path, summary, population):
    directory = RunDirectory(str(tmp_path / "secret" / "run"))
    directory.write_json("summary.json", summary)
    directory.write_table("population.parquet", population)
    return directory


def written(directory, config, name="soup", use=Use("import torch"), **changed):  # noqa: B008  frozen
    whole = parse_config({**config, **changed} | {"compute": {"backend": "local"}})
    return card(directory, whole, name, MEMBER, use, Path("/home/me/net"))


def number(shown):
    return float(shown.replace("−", "-").rstrip("%").removesuffix(" points"))


@pytest.mark.parametrize(("name", "key"), [("best", "best_child"), ("soup", "soup")])
def test_every_figure_is_the_summarys(directory, summary, name, key):
    rows = {row.label.partition(" (")[0]: row for row in rows_of(directory, summary, name)}
    for label, figure, factor in (("NLL", "nll", 1), ("Top-1 accuracy", "top1", 100), ("Calibration error", "ece", 1)):
        row, places = rows[label], 0.005 if factor == 100 else 0.00005
        assert number(row.parent) == pytest.approx(factor * summary["parent"]["test"][figure], abs=places)
        assert number(row.own) == pytest.approx(factor * summary[key][figure], abs=places)
        compared = [
            one for one in summary["comparisons"]
            if (one["name"], one["metric"], one.get("against", "parent")) == (key, figure, "parent")
        ]  # fmt: skip
        assert (row.difference == "–") == (not compared)
        if compared:
            ends = [number(one) for one in row.interval.removesuffix(" points").split(" to ")]
            said = [factor * one for one in compared[0]["ci95"]]
            assert ends == pytest.approx(sorted(said), abs=(said[1] - said[0]) / 10)
            assert number(row.difference) == pytest.approx(
                factor * compared[0]["difference"], abs=(ends[1] - ends[0]) / 10
            )


def test_a_cost_that_children_were_ranked_by_keeps_its_direction(directory, summary):
    summary["fitness"] = "cost"
    measure = {"label": "Cost", "short": "Cost", "unit": "per image", "higher_is_better": False, "said": "cost"}
    summary["measures"] = {"cost": measure}
    summary["parent"]["test"]["cost"], summary["soup"]["cost"] = 0.5, 0.4
    compared = {"name": "soup", "metric": "fitness", "difference": 0.1, "ci95": [0.05, 0.15], "against": "parent"}
    summary["comparisons"] = [compared, compared | {"against": "parent_calibrated", "difference": 9}]
    (row,) = rows_of(directory, summary, "soup")
    assert [number(one) for one in (row.parent, row.own, row.difference)] == [0.5, 0.4, -0.1]
    assert [number(one) for one in row.interval.split(" to ")] == [-0.15, -0.05] and "lower is better" in row.label


def test_a_child_has_its_own_row_or_none(directory, summary, population):
    rows = population.to_pylist()
    tested = next(row for row in rows if row["test_nll"] is not None and row["child_id"] != summary["best_child"]["id"])
    other = next(row for row in rows if row["test_nll"] is None)
    found = {row.label.partition(" (")[0]: row for row in rows_of(directory, summary, tested["child_id"])}
    assert number(found["NLL"].own) == pytest.approx(tested["test_nll"], abs=5e-5)
    assert list(rows_of(directory, summary, other["child_id"])) == []
    best = list(rows_of(directory, summary, summary["best_child"]["id"]))
    assert best == list(rows_of(directory, summary, "best"))


def test_the_card_names_what_it_is_and_no_path(directory, config, summary):
    config["data"] = config["data"] | {"path": "/home/me/shards"}
    data = {"select": "11" * 32, "test": "22" * 32}
    directory.write_json("journal/identity.json", {"run_id": "x", "parent": "", "space": "", "data": data})
    text = written(directory, config, use=Use("import torch", base_model="timm/net"))
    assert "/home/me" not in text and "secret" not in text
    for said in ("ab" * 32, "cd" * 32, "11" * 32, "22" * 32, "2 mutations", "2,100 images", "resnet50", "shards"):
        assert said in text, said
    assert cell(summary["verdict"])[:40] in text and f"{len(MEMBER.recipe):,} bytes" in text
    assert "evoray export run soup -o net --format hub-folder" in text and "evoray rebuild lineage.json" in text
    head = yaml.safe_load(text.split("---\n")[1])
    assert (
        head["pipeline_tag"] == "image-classification" and head["base_model"] == "timm/net" and "evoray" in head["tags"]
    )
    assert "license" not in head and not re.search(r"\{[{%]|Undefined", text)


TOP1 = {"label": "Top-1 accuracy", "short": "Top-1", "unit": "fraction", "higher_is_better": True, "said": "top-1"}
GUARD = {
    "name": "fash|ion", "keep": "top1 >= parent - 0.02", "figure": "top1", "task": "image-classification",
    "counted": "images", "measures": {"top1": TOP1}, "splits": {"select": 500, "test": 400}, "judged": 9, "broken": 2,
    "parent": {"select": {"n": 500, "top1": 0.9}, "test": {"n": 400, "top1": 0.88}},
    "best_child": {"n": 400, "top1": 0.875}, "soup": {"n": 400, "top1": 0.84},
    "holds": {"best_child": True, "soup": False},
    "comparisons": [{"name": "soup", "metric": "top1", "higher_is_better": True, "difference": -0.04,
                     "ci95": [-0.06, -0.02], "p_value": 0.01}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("soup", [["88.00%", "–", "–", "–"], ["84.00%", "−4.00", "−6.00 to −2.00", "no"]]),
        ("best", [["88.00%", "–", "–", "–"], ["87.50%", "–", "–", "–"]]),
        ("parent", [["88.00%", "–", "–", "–"]]),
        ("g9999/c0001", []),
    ],
)
def test_what_was_kept_elsewhere_stands_beside_the_figures(directory, config, summary, name, lines):
    assert "which the run was to keep" not in written(directory, config, name)
    directory.write_json("summary.json", summary | {"guards": [GUARD]})
    text = written(directory, config, name)
    _, _, rest = text.partition("which the run was to keep:\n\n")
    table, _, note = rest.partition("\n\n")
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
    assert [row[1:] for row in rows[2:]] == lines
    if lines:
        assert rows[1] == ["---"] * 5 == ["---"] * len(rows[0]) and "400 others, which chose nothing" in note
        assert r"Guard fash\|ion" in text


def test_without_the_journal_the_card_says_that_no_digest_is_kept(directory, config):
    assert written(directory, config).count("no digest of the data is kept") == 2


def test_a_strangers_name_steers_nothing(directory, config):
    for name in ("a|b", "```\nx", "<script>", "[x](y)", "---", "\x1b[1m", "a: 'b\""):
        whole = config | {"parent": {"source": "torchvision", "name": name, "weights": "random"}}
        text = written(directory, whole)
        (row,) = [one for one in text.splitlines() if one.startswith("| Parent |")]
        assert len(re.findall(r"(?<!\\)\|", row)) == 3 and "\x1b" not in text and "<script>" not in text
        assert isinstance(yaml.safe_load(text.split("---\n")[1]), dict)


def test_a_summary_that_lacks_something_is_named(directory, config, summary):
    for lost in ("splits", "parent", "verdict", "comparisons"):
        directory.write_json("summary.json", {key: one for key, one in summary.items() if key != lost})
        with pytest.raises(UsageError, match=r"summary\.json: no card can be made"):
            written(directory, config)


def test_an_unfinished_run_has_no_card(config, tmp_path):
    with pytest.raises(UsageError, match=r"no summary\.json in it"):
        written(RunDirectory(str(tmp_path)), config)
