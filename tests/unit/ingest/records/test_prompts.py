from __future__ import annotations

import json

import pytest
import tiny_language

from evoray.config import load_config
from evoray.data import open_dataset
from evoray.errors import ConfigError, DataError
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.runtime.progress import Progress

TEMPLATE = (
    "{% for one in messages %}{% if one.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}"
    "{{ one.role == 'user' and 'the' or 'we' }} {{ one.content }} {% endfor %}"
    "{% if add_generation_prompt %}we had{% endif %}"
)
WORDS = [*tiny_language.SPECIAL, *tiny_language.WORDS]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "chat"])
def folder(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("prompts")
    tiny_language.saved(place / "net", "llama")
    if request.param:
        tiny_language.tokenizer(place / "net", special=False, chat_template=TEMPLATE)
    return place


def ingested(folder, tmp_path, rows, inputs=(), targets=(), truncate=False, suffix="jsonl", **task):
    config = tiny_language.run_file(tmp_path / "run.toml", str(folder / "net"), "generation")
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in task.items())
    config.write_text(config.read_text().replace('name = "generation"', f'name = "generation"\n{lines}'))
    path = tmp_path / f"t.{suffix}"
    path.write_text(rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows))
    wanted = wanted_of(Options(config=config, truncate=truncate), None, inputs, targets)
    ingest_records(str(path), tmp_path / "shards", wanted, Progress())
    assert load_config(config).task.name == "generation"
    return open_dataset(str(tmp_path / "shards"))


def shown(dataset):
    """By record: its tokens' words, prompt and record."""
    shard = dataset.load(0)
    columns = (shard[name] for name in ("number", "input_ids", "prompt", "record"))
    return {
        int(number): (" ".join(WORDS[token] for token in tokens), prompt, json.loads(record))
        for number, tokens, prompt, record in zip(*columns, strict=True)
    }


def test_texts_and_all_columns_beside_them(folder, tmp_path):
    rows = [{"prompt": "the day was", "answer": 7, "more": {"a": [1]}}, {"prompt": "sad", "answer": 8, "more": None}]
    data = ingested(folder, tmp_path, rows, max_new_tokens=4)
    found = shown(data)
    chat = "template" in data.manifest.read
    assert found[0][0] == ("the the day was we had" if chat else "the day was")
    assert [found[row][1:] for row in (0, 1)] == [(row["prompt"], row) for row in rows]
    assert data.manifest.read["chat"] == chat and data.manifest.read["longest"] == [6 if chat else 3, "record/0"]
    assert data.manifest.read["tokenizer"]


def test_chat_is_a_key(folder, tmp_path):
    data = ingested(folder, tmp_path, [{"prompt": "sad"}, {"prompt": "a"}], chat=False, max_new_tokens=4)
    assert shown(data)[0][0] == "sad" and "template" not in data.manifest.read


def test_csv(folder, tmp_path):
    found = shown(
        ingested(
            folder, tmp_path, "n,asked\n1,the day\n2,sad\n", ("asked",), suffix="csv", chat=False, max_new_tokens=4
        )
    )
    assert found[1] == ("sad", "sad", {"n": 2, "asked": "sad"})


CHATS = [
    {"messages": [{"role": "system", "content": "very"}, {"role": "user", "content": "the day"}]},
    {"messages": [{"role": "user", "content": "sad", "name": "x"}]},
]


def test_chats(folder, tmp_path):
    if "chat_template" not in (folder / "net/tokenizer_config.json").read_text():
        with pytest.raises(ConfigError, match="has no chat template"):
            ingested(folder, tmp_path, CHATS)
        return
    found = shown(ingested(folder, tmp_path, CHATS, max_new_tokens=4))
    assert found[0][:2] == ("we very the the day we had", "the day") and found[1][0] == "the sad we had"
    assert found[1][2]["messages"][0]["content"] == "sad"


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"messages": []}], {}, "record 0.*no chat"),
        ([{"messages": [{"role": "user"}]}], {}, "record 0.*no chat"),
        ([{"messages": ["the"]}], {}, "record 0.*no chat"),
        ([{"messages": [{"role": "user", "content": "a"}]}], {"chat": False}, "holds chats|has no chat template"),
        (
            [{"prompt": "a"}, {"prompt": "the " * 40}],
            {"chat": False},
            r"record 0: its prompt has 1 tokens.*64 new ones.*and 1 more",
        ),
        ([{"prompt": "a"}, {"prompt": "the " * 37}], {"max_new_tokens": 4, "chat": False}, r"record 1.*4 new ones.*40"),
        ([{"prompt": "a"}], {"targets": ("prompt",)}, "--target: task generation has none"),
        ([{"prompt": "a"}], {"truncate": True, "max_new_tokens": 4}, "where the answer begins"),
        ([{"prompt": 3}], {"max_new_tokens": 4}, "not words"),
        ([{"asked": "a"}], {}, "which column is the prompt"),
        ([{"prompt": "a", "other": "b"}], {"inputs": ("prompt", "other")}, "which column is the prompt"),
        ([{"prompt": None}, {"prompt": "a"}], {"max_new_tokens": 4}, "record 0.*empty"),
    ],
)
def test_what_is_no_prompt_is_refused_with_its_record(folder, tmp_path, rows, options, message):
    with pytest.raises((ConfigError, DataError), match=message):
        ingested(
            folder, tmp_path, rows, **{"max_new_tokens": 64, **options} if "max_new_tokens" not in options else options
        )
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u00a0\u3000"])
@pytest.mark.parametrize("kind", ["text", "as text", "chat"])
def test_a_prompt_that_asks_nothing_is_one_whatever_writes_it(folder, tmp_path, kind, blank):
    texts = ["sad", blank, "a"]
    is_chat = kind == "chat"
    rows = [{"messages": [CHATS[0]["messages"][0], {"role": "user", "content": text}]} for text in texts]
    options = {"chat": False} if kind == "as text" else {}
    what = "white space alone" if blank else "empty"
    said = rf"record 1 \(the first is 0\): its prompt is {what}, .*leave the record out"
    if is_chat and "chat_template" not in (folder / "net/tokenizer_config.json").read_text():
        said = "has no chat template"
    with pytest.raises((DataError, ConfigError), match=said):
        ingested(folder, tmp_path, rows if is_chat else [{"prompt": one} for one in texts], **options)
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize("folder", [True], indirect=True, ids=["chat"])
def test_a_template_that_refuses_names_the_record(folder, tmp_path):
    rows = [*CHATS, {"messages": [{"role": "tool", "content": "a"}]}]
    with pytest.raises(DataError, match=r"record 2: the parent's chat template cannot write it .*no tools"):
        ingested(folder, tmp_path, rows, max_new_tokens=4)
