"""A tokenizer's digest: the same for the same tokens, another for others."""

from __future__ import annotations

import json

import pytest
import tiny_language

from evoray.data.text.tokenizer import load_tokenizer, tokenizer_digest
from evoray.errors import ModelError


def test_saving_again_changes_nothing(tmp_path):
    folder = tiny_language.tokenizer(tmp_path / "one")
    load_tokenizer(folder).save_pretrained(tmp_path / "again")
    assert tokenizer_digest(folder) == tokenizer_digest(tmp_path / "again")


@pytest.mark.parametrize("settings", [{"model_max_length": 9}, {"chat_template": "{{ x }}"}, {"name_or_path": "/a"}])
def test_what_changes_no_token_is_left_out(tmp_path, settings):
    plain = tokenizer_digest(tiny_language.tokenizer(tmp_path / "one"))
    assert tokenizer_digest(tiny_language.tokenizer(tmp_path / "two", **settings)) == plain
    whole = json.loads((tmp_path / "two" / "tokenizer.json").read_text())
    whole |= {"truncation": {"max_length": 3}, "padding": {"strategy": "BatchLongest"}}
    (tmp_path / "two" / "tokenizer.json").write_text(json.dumps(whole, indent=1))
    assert tokenizer_digest(tmp_path / "two") == plain


@pytest.mark.parametrize("changes", [{"words": ("the", "a")}, {"special": False}, {"add_bos_token": True}])
def test_what_changes_tokens_changes_it(tmp_path, changes):
    plain = tokenizer_digest(tiny_language.tokenizer(tmp_path / "one"))
    assert tokenizer_digest(tiny_language.tokenizer(tmp_path / "two", **changes)) != plain


def test_a_vocabulary_without_a_fast_tokenizer(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n")
    first = tokenizer_digest(tmp_path)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    assert tokenizer_digest(tmp_path) != first


def test_no_tokenizer(tmp_path):
    for ask in (tokenizer_digest, load_tokenizer):
        with pytest.raises(ModelError, match=r"no tokenizer in it\. Save the parent's there"):
            ask(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"model": 3}'])
def test_a_damaged_one(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=r"tokenizer"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("settings", [{"model_max_length": {}}, {"model_max_length": "long"}])
def test_a_setting_of_another_kind(tmp_path, settings):
    """That transformers meets only where a text is read."""
    with pytest.raises(ModelError, match="its tokenizer cannot be loaded"):
        load_tokenizer(tiny_language.tokenizer(tmp_path, **settings))
