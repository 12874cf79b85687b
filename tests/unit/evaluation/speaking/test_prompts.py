from __future__ import annotations

from types import SimpleNamespace

import pytest
import tiny_language

from evoray.errors import DataError
from evoray.evaluation.speaking.parents import check_prompts


def described(**made):
    return SimpleNamespace(described={"select": SimpleNamespace(made={}), "test": SimpleNamespace(made=made)})


def test_a_prompt_needs_room_for_its_answer(tmp_path):
    parent = SimpleNamespace(tokenizer=str(tiny_language.saved(tmp_path / "net", "llama")))
    check_prompts(parent, described(longest=[36, "record/7"]), 4)
    with pytest.raises(DataError, match=r"record/7 has 36 tokens, and with task.max_new_tokens = 5 .*40 are too few"):
        check_prompts(parent, described(longest=[36, "record/7"]), 5)
    with pytest.raises(DataError, match="another chat template"):
        check_prompts(parent, described(template="a" * 64), 5)
    check_prompts(parent, described(), 500)
    check_prompts(SimpleNamespace(tokenizer=None), described(longest=[36, "record/7"]), 500)
