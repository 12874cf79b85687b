"""Texts to tokens: what the parent's tokenizer makes of them, and how long they may be."""

from __future__ import annotations

import json

import pytest
import tiny_language

from evoray.errors import ConfigError, DataError, ModelError
from evoray.ingest.records.texts import Reader, reader_for


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_language.saved(tmp_path_factory.mktemp("texts") / "net")


def test_tokens_are_those_of_the_tokenizer(folder):
    reader = Reader(folder, truncate=False)
    found = reader.read(["the day", "awful unheard"], None, "t.csv")
    assert found.tokens == [[2, 8, 10, 3], [2, 6, 1, 3]]
    assert (found.kinds, found.cut, reader.context) == (None, 0, 40)
    assert reader.recorded == {"tokenizer": reader.digest, "context": 40, "truncate": False}


def test_pairs_have_kinds(folder):
    found = Reader(folder, truncate=False).read(["the day", "a"], ["sad", "the"], "t.csv")
    assert found.tokens == [[2, 8, 10, 3, 7, 3], [2, 9, 3, 8, 3]]
    assert found.kinds == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]


def test_what_is_too_long_is_refused_or_cut(folder):
    texts = ["the", "the " * 50, "a " * 38, "a " * 39]
    with pytest.raises(DataError, match=r"t\.csv, record 1: its text has 52 tokens.*takes 40, and 1 more.*--truncate"):
        Reader(folder, truncate=False).read(texts, None, "t.csv")
    found = Reader(folder, truncate=True).read(texts, None, "t.csv")
    assert found.cut == 2
    assert [len(one) for one in found.tokens] == [3, 40, 40, 40]
    assert found.tokens[1] == [2, *[8] * 38, 3]  # the last token is still the tokenizer's


def test_a_text_without_a_token(tmp_path):
    reader = Reader(tiny_language.saved(tmp_path / "net", "gpt2"), truncate=False)
    with pytest.raises(DataError, match="record 1: no token in its text"):
        reader.read(["the", " "], None, "t.csv")


def test_a_tokenizer_of_more_tokens_than_the_network(tmp_path):
    folder = tiny_language.saved(tmp_path / "net")
    tiny_language.tokenizer(folder, words=(*tiny_language.WORDS, "more"))
    with pytest.raises(ModelError, match=r"knows 20 tokens and its network 19.*save both again"):
        Reader(folder, truncate=False)


def test_whose_tokenizer_it_is(tmp_path, folder):
    config = tiny_language.run_file(tmp_path / "run.toml", str(folder), "text-classification")
    assert reader_for(config, False, "text-classification").digest == Reader(folder, False).digest
    with pytest.raises(ConfigError, match="Name the run's configuration with --for"):
        reader_for(None, False, "text-classification")


MODULE = """
import torch
from evoray import Parent

def with_one():
    return Parent(torch.nn.Linear(2, 2), tokenizer=FOLDER)

def without():
    return torch.nn.Linear(2, 2)
"""


def test_a_module_says_which_tokenizer_is_its_own(tmp_path, folder):
    (tmp_path / "texts_module.py").write_text(MODULE.replace("FOLDER", json.dumps(str(folder))))
    for name in ("with_one", "without"):
        (tmp_path / f"{name}.toml").write_text(
            f'[parent]\nsource = "module"\nname = "texts_module:{name}"\n[data]\npath = "shards"\n'
        )
    assert reader_for(tmp_path / "with_one.toml", False, "text-classification").digest == Reader(folder, False).digest
    with pytest.raises(ConfigError, match="names no tokenizer"):
        reader_for(tmp_path / "without.toml", False, "text-classification")


def test_whole_texts_begin_with_a_token_and_keep_their_bytes(tmp_path):
    folder = tiny_language.saved(tmp_path / "net", "gpt2")
    tokens, size, cut = Reader(folder, truncate=False).read_whole(["the day", "é a"], "t.csv")
    assert (tokens, size, cut) == ([[2, 8, 10], [2, 1, 9]], [7, 4], 0)
    with pytest.raises(DataError, match=r"record 1: its text has 51 tokens, and the parent takes 40\."):
        Reader(folder, truncate=False).read_whole(["the", "the " * 50], "t.csv")
    tokens, size, cut = Reader(folder, truncate=True).read_whole(["the", "the " * 50], "t.csv")
    assert (len(tokens[1]), size[1], cut) == (40, 39 * 4 - 1, 1)
    with pytest.raises(DataError, match="record 0: no token"):
        Reader(folder, truncate=False).read_whole([" "], "t.csv")


def test_a_tokenizer_that_begins_no_text(tmp_path, folder):
    with pytest.raises(ModelError, match="neither a bos_token nor an eos_token"):
        Reader(folder, truncate=False).read_whole(["the"], "t.csv")
