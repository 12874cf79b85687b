from __future__ import annotations

import io

import pyarrow as pa
import pytest
from rich.console import Console

from evoray.demo.side_by_side import FILE, Answered, answered_of, chosen, grid, print_answers
from evoray.storage.directory import RunDirectory


def answered(prompt, parent, ensemble):
    texts = {"parent": f"p{prompt}", "ensemble": f"e{prompt}"}
    return Answered(prompt, texts, {"parent": parent, "ensemble": ensemble})


@pytest.mark.parametrize(
    ("rewards", "numbers"),
    [
        ([(0, 0), (1, 1), (1, 0), (0, 1), (0, 1)], [3, 2, 1]),
        ([(0, 0), (1, 1), (0, 1)], [2, 1, 0]),
        ([(1, 1), (1, 1), (1, 1), (0, 0)], [0, 3, 1]),
        ([(0, 0), (0, 0)], [0, 1]),
        ([(0.2, 0.5), (0.5, 0.2), (0.5, 0.5)], [0, 1, 2]),
        ([], []),
    ],
)
def test_three_are_chosen_by_a_rule(rewards, numbers):
    some = [answered(str(number), *both) for number, both in enumerate(rewards)]
    assert [one.prompt for one in chosen(some, "ensemble")] == [str(number) for number in numbers]


def table(**changes):
    columns = {
        "index": [0, 1],
        "prompt": ["1 + 1 = 2\n43 + 14 =", "1 + 1 = 2\n6 + 0 ="],
        "parent_answer": [" 75", " 6"],
        "parent_reward": [0.0, 1.0],
        "best_child_answer": [" 57", "6 " * 50],
        "best_child_reward": [1.0, 1.0],
        "ensemble_answer": [" 57\nor so", " 6"],
        "ensemble_reward": [1.0, None],
    }
    return pa.table(columns | changes)


def test_a_row_is_the_problem_and_each_networks_answer():
    found = grid(answered_of(table()))
    assert found.columns == ("Problem", "Parent", "Best child", "Vote")
    assert found.rows[0] == ("43 + 14 =", "✗ 75", "✓ 57", "✓ 57 or so")
    assert found.rows[1][0] == "6 + 0 =" and len(found.rows[1][2]) <= 62 and found.rows[1][2].endswith("…")


def test_an_answer_without_a_reward_is_none_that_is_right():
    assert answered_of(table())[1].kind("ensemble") == "lost"


def test_without_a_vote_the_last_network_is_compared():
    found = answered_of(table().drop_columns(["ensemble_answer", "ensemble_reward"]))
    assert list(found[0].texts) == ["parent", "best_child"] and grid(found).rows[0][0] == "43 + 14 ="


def test_the_table_is_printed_as_it_is_whatever_an_answer_looks_like(tmp_path):
    directory = RunDirectory(str(tmp_path))
    directory.write_table(FILE, table(parent_answer=["[bold]75[/bold]", "6"]))
    out = io.StringIO()
    print_answers(directory, Console(file=out, width=120))
    assert "[bold]75[/bold]" in out.getvalue() and "Side by side" in out.getvalue()
