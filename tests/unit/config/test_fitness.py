from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evoray.config import FitnessConfig, parse_constraint

BOUNDS = st.floats(0, 1e6).map(lambda value: round(value, 6))
SPACE = st.sampled_from(["", " ", "  "])


@given(st.sampled_from(["top1", "nll", "class-accuracy"]), st.sampled_from([">=", "<="]), BOUNDS, SPACE)
def test_an_absolute_bound_is_read_as_it_is_written(metric, sign, bound, space):
    text = f"{space}{metric}{space}{sign}{space}{bound!r}{space}"
    found = parse_constraint(text)
    assert (found.metric, found.at_least, found.relative, found.bound) == (metric, sign == ">=", False, bound)
    assert found.text == text.strip()


@given(st.sampled_from("+-"), BOUNDS, SPACE)
def test_a_relative_bound_is_added_to_the_parents(plus, bound, space):
    found = parse_constraint(f"top1{space}>={space}parent{space}{plus}{space}{bound!r}")
    assert (found.relative, found.bound) == (True, -bound if plus == "-" else bound)


def test_the_parent_itself_is_a_bound():
    found = parse_constraint("top5 >= parent")
    assert (found.relative, found.bound, found.at_least) == (True, 0.0, True)


def test_an_absolute_bound_may_be_negative():
    assert parse_constraint("nll >= -0.5").bound == -0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "top1",
        "top1 >=",
        "top1 > 0.5",
        "top1 = 0.5",
        ">= 0.5",
        "top1 >= child - 1",
        "top1 >= parent 0.1",
        "a b >= 1",
    ],
)
def test_another_form_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r'write it as "top1 >= parent - 0\.005"'):
        parse_constraint(text)


@pytest.mark.parametrize("text", ["top1 >= 0.5x", "top1 >= parent - x", "top1 >= 1.2.3", "nll <= 5e"])
def test_a_bound_that_is_no_number_is_named(text):
    with pytest.raises(ValueError, match="is no number"):
        parse_constraint(text)


@pytest.mark.parametrize("text", ["top1 >= parent - inf", "top1 >= parent + nan", "top1 <= 1e999"])
def test_a_bound_is_finite(text):
    with pytest.raises(ValueError, match="the bound must be finite"):
        parse_constraint(text)


def test_by_default_nll_counts_and_nothing_has_to_be_kept():
    config = FitnessConfig()
    assert (config.name, config.costs, config.constraints) == ("nll", None, ())


def test_costs_and_their_fitness_go_together():
    rows = [[0, 1], [5, 0]]
    assert FitnessConfig(name="cost", costs=rows).costs == ((0.0, 1.0), (5.0, 0.0))
    assert FitnessConfig(name="cost", costs="costs.csv").costs == "costs.csv"
    for wrong in ({"name": "cost"}, {"name": "nll", "costs": rows}):
        with pytest.raises(ValidationError, match="go together"):
            FitnessConfig(**wrong)


def test_agreement_and_its_clean_records_go_together():
    assert FitnessConfig(name="agreement", reference="clean").reference == "clean"
    for wrong in ({"name": "agreement"}, {"name": "entropy", "reference": "clean"}):
        with pytest.raises(ValidationError, match='name = "agreement" and reference go together'):
            FitnessConfig(**wrong)


def test_constraints_are_read_when_the_file_is():
    assert FitnessConfig(constraints=["top1 >= parent - 0.005"]).constraints == ("top1 >= parent - 0.005",)
    with pytest.raises(ValidationError, match="write it as"):
        FitnessConfig(constraints=["top1 is high"])


def test_a_users_function_is_a_fitness():
    assert FitnessConfig(name="package.module:score").name == "package.module:score"
    assert not math.isnan(parse_constraint("top1 >= .5").bound)
