"""Questions with choices, from tables: which one is right, and what becomes of their tokens."""

from __future__ import annotations

import json

import pytest
import tiny_language

from evoray.errors import ConfigError, DataError
from evoray.ingest.records.gather import gather
from evoray.ingest.records.writing import Wanted

TASK = "multiple-choice"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("choices")
    tiny_language.saved(folder / "net", "gpt2")
    return tiny_language.run_file(folder / "run.toml", "net", TASK)


def gathered(tmp_path, config, rows, **values):
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return gather(path, Wanted(TASK, config=config, **values))


def row(answer, choices=("great", "awful day", "sad"), question="the day was "):
    return {"question": question, "choices": list(choices), "answer": answer}


def test_tokens_of_questions_and_choices(tmp_path, config):
    found = gathered(tmp_path, config, [row(1), row(0, ("a", "the"))])
    assert [one.tolist() for one in found.values["input_ids"]] == [[8, 10, 11, 4, 6, 10, 7], [8, 10, 11, 9, 8]]
    assert [one.tolist() for one in found.values["parts"]] == [[3, 1, 2, 1], [3, 1, 1, 0]]
    assert [one.tolist() for one in found.values["choice_bytes"]] == [[5, 9, 3], [1, 3, 0]]
    assert found.values["label"].tolist() == [1, 0] and found.classes == ("A", "B", "C")


def test_an_empty_question_begins_as_texts_do(tmp_path, config):
    found = gathered(tmp_path, config, [row(1, question="")])
    assert found.values["input_ids"][0].tolist()[0] == 2 and found.values["parts"][0].tolist() == [1, 1, 2, 1]


@pytest.mark.parametrize(("answer", "number"), [(2, 2), ("C", 2), ("b", 1), ("sad", 2), ("awful day", 1)])
def test_the_right_one_by_number_letter_or_text(tmp_path, config, answer, number):
    assert gathered(tmp_path, config, [row(answer)]).values["label"].tolist() == [number]


def test_a_text_comes_before_a_letter(tmp_path, config):
    assert gathered(tmp_path, config, [row("A", ("b", "A"))]).values["label"].tolist() == [1]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(3)], "record 0: the answer 3, and there are 3 choices, counted from 0"),
        ([row(-1)], "record 0: the answer -1"),
        ([row(0), row(3)], "record 1: the answer 3"),
        ([row("D")], "the answer D is no choice. Give its number"),
        ([row("other")], "the answer other is no choice"),
        ([row(True)], "the answer True is no choice"),
        ([row(None)], "the answer None is no choice"),
        ([row("sad", ("sad", "sad"))], "the answer sad is no choice"),
        ([row(0, ("one",))], "1 choices; there may be 2 to 26"),
        ([row(0, ("one", " "))], "no list of texts"),
        ([row(0, question="the " * 45)], "record 0: question and choice have 47 tokens.*takes 40"),
    ],
)
def test_what_is_refused(tmp_path, config, rows, said):
    with pytest.raises(DataError, match=said):
        gathered(tmp_path, config, rows)


@pytest.mark.parametrize("values", [{"inputs": ("question",)}, {"targets": ("none",)}, {"inputs": ("q", "choices")}])
def test_columns_are_named_in_their_order(tmp_path, config, values):
    with pytest.raises(ConfigError, match="with --input, in this order, and that of the right one with --target"):
        gathered(tmp_path, config, [row(0)], **values)


def test_columns_of_other_names(tmp_path, config):
    rows = [{"q": "the", "c": ["a", "b"], "y": 1}]
    found = gathered(tmp_path, config, rows, inputs=("q", "c"), targets=("y",))
    assert found.read["input_ids"] == ["q", "c"] and found.read["label"] == ["y"]
