"""README's first page: its two configurations are ones, and its two measures do what they say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import torch

from evoray.config import parse_config
from evoray.fitness.user import MeanScore
from evoray.tasks.generation.asking import reply

PAGE = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Your model, your data, your measure\n")[2].partition("\n## ")[0]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)


def measures():
    found = {}
    for block in blocks("python"):
        exec(block, found)
    return found


def test_both_configurations_are_ones():
    images, texts = (parse_config(tomllib.loads(block), "README") for block in blocks("toml"))
    assert (images.parent.source, images.fitness.name) == ("torchvision", "measure:surely_right")
    assert (texts.parent.source, texts.task.name) == ("transformers", "generation")
    assert texts.task.settings["reward"] == "measure:right"


def test_the_measure_of_images_is_a_score_an_image():
    logits = torch.tensor([[9.0, 0.0], [0.5, 0.0], [9.0, 0.0]])
    score = MeanScore("measure:surely_right", (), measures()["surely_right"])
    assert score.answer(logits, torch.tensor([0, 0, 1])).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(("answer", "right"), [("The sum is 57\n", True), ("57 or 58", False), ("", False)])
def test_the_measure_of_texts_is_a_reward_an_answer(answer, right):
    reward, _, failure = reply(measures()["right"], str, ("43 + 14 =", answer, '{"answer": "57"}'), None)
    assert (reward, failure) == (float(right), "")


def test_each_is_said_in_twenty_lines():
    columns = SECTION.partition("<table>")[2].partition("</table>")[0].split("</td><td>")
    assert len(columns) == 2
    for column in columns:
        code = "".join(re.findall(r"```\w*\n(.*?)```", column, re.DOTALL))
        assert 10 <= len(code.splitlines()) <= 20
