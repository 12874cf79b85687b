"""Random networks of a few thousand weights, and a tokenizer of a few words, as folders of ``save_pretrained``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch

WORDS = ("great", "lovely", "awful", "sad", "the", "a", "day", "was", "and", "it", "felt", "very", "quite", "we", "had")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
VOCABULARY = len(WORDS) + len(SPECIAL)


@cache
def tokenizer_json(words=WORDS, special=True) -> str:
    """A tokenizer of words; special: with [CLS] and [SEP] around texts, as BERT's has."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    known = {word: number for number, word in enumerate((*SPECIAL, *words))}
    made = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    made.add_special_tokens(list(SPECIAL))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return made.to_str()


def tokenizer(folder: Path, words=WORDS, special=True, **settings) -> Path:
    """Its two files, as save_pretrained writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer_json(words, special))
    around = {"cls_token": "[CLS]", "sep_token": "[SEP]"} if special else {"bos_token": "[CLS]", "eos_token": "[SEP]"}
    own = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]", **around}
    own["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    (folder / "tokenizer_config.json").write_text(json.dumps(own | {"model_max_length": 64} | settings))
    return folder


def network(kind: str = "bert", seed: int = 0, **settings):
    """A network in evaluation mode: bert classifies, gpt2 and llama predict tokens, gpt2-classes classifies."""
    import transformers

    torch.manual_seed(seed)
    if kind == "bert":
        sizes = {"intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.4}
        names = {"id2label": {0: "bad", 1: "good"}, "label2id": {"bad": 0, "good": 1}}
        sizes |= {"vocab_size": VOCABULARY, "hidden_size": 32, "max_position_embeddings": 40}
        config = transformers.BertConfig(**{**sizes, **names, **settings})
        return transformers.BertForSequenceClassification(config).eval()
    if kind.startswith("gpt2"):
        sizes = {"n_positions": 40, "n_embd": 32, "n_layer": 2, "n_head": 2, "initializer_range": 0.4}
        config = transformers.GPT2Config(
            vocab_size=VOCABULARY, **{**sizes, "bos_token_id": 2, "eos_token_id": 3, **settings}
        )
        made = transformers.GPT2LMHeadModel if kind == "gpt2" else transformers.GPT2ForSequenceClassification
        return made(config).eval()
    sizes = {"intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    ends = {"initializer_range": 0.4, "bos_token_id": 2, "eos_token_id": 3, "tie_word_embeddings": True}
    sizes |= {"vocab_size": VOCABULARY, "hidden_size": 32, "max_position_embeddings": 40}
    config = transformers.LlamaConfig(**{**sizes, **ends, **settings})
    return transformers.LlamaForCausalLM(config).eval()


def saved(folder: Path, kind: str = "bert", shard: str | None = None, **settings) -> Path:
    """Network and tokenizer in one folder; shard: largest size of a file of weights (``20KB``)."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    network(kind, **settings).save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    return tokenizer(folder, special=kind == "bert")


def texts(count: int, seed: int = 0, longest: int = 12) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, size=draw.integers(1, longest + 1))) for _ in range(count)]


def table(path: Path, count: int = 60) -> Path:
    """JSONL of texts, good or bad by what they say first."""
    rows = [{"text": one, "label": "good" if one.split()[0] < "m" else "bad"} for one in texts(count)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def run_file(path: Path, name: str, task: str, **parent) -> Path:
    """A configuration beside its parent's folder."""
    sections = {
        "parent": {"source": "transformers", "name": name, **parent},
        "data": {"path": "shards"},
        "task": {"name": task},
        "mutation": {"sigma": 0.3, "parts": 4},
        "search": {"children": 4},
        "compute": {"backend": "local", "workers": 1, "batch_size": 8},
    }
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    path.write_text("\n".join(lines))
    return path
