"""Parents of transformers: what a folder of save_pretrained gives, and what is refused of one."""

from __future__ import annotations

import json
import shutil

import pytest
import tiny_language
import torch

from evoray.config import ParentConfig
from evoray.errors import ConfigError, ModelError
from evoray.evaluation.packing import travelled
from evoray.models import canonical_state, load_parent


def parent(folder, **values):
    return load_parent(ParentConfig(source="transformers", name=str(folder), **values))


def batch(rows=2, length=7):
    ids = torch.randint(4, tiny_language.VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama", "gpt2-classes"])
def test_the_network_of_a_folder(tmp_path, kind):
    expected = tiny_language.network(kind)
    expected.config.pad_token_id = 0
    found = parent(tiny_language.saved(tmp_path / "net", kind))
    assert not found.model.training and found.name == "net"
    assert found.tokenizer == str(tmp_path / "net")
    with torch.inference_mode():
        logits = found.model(**batch()).logits
        torch.testing.assert_close(logits, expected(**batch()).logits)  # with a mask, where the library needs none
        assert torch.equal(travelled(found.model)(**batch()).logits, logits)
        assert "past_key_values" not in found.model(**batch())
    assert set(found.model.state_dict()) == set(expected.state_dict())


def test_shards_of_weights_and_tied_ones(tmp_path):
    whole = parent(tiny_language.saved(tmp_path / "whole", "gpt2")).model
    split = parent(tiny_language.saved(tmp_path / "split", "gpt2", shard="20KB")).model
    assert (tmp_path / "split" / "model.safetensors.index.json").exists()
    state, aliases = canonical_state(split)
    assert aliases == {"transformer.wte.weight": "lm_head.weight"}
    assert all(torch.equal(one, state[name]) for name, one in canonical_state(whole)[0].items())


def test_types_are_as_recorded(tmp_path):
    folder = tmp_path / "half"
    tiny_language.network().to(torch.bfloat16).save_pretrained(folder)
    tiny_language.tokenizer(folder)
    assert {one.dtype for one in parent(folder).model.parameters()} == {torch.bfloat16}


def test_class_names_are_the_configurations_unless_nobody_named_them(tmp_path):
    assert parent(tiny_language.saved(tmp_path / "named")).classes == ("bad", "good")
    plain = {"id2label": {0: "LABEL_0", 1: "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}
    assert parent(tiny_language.saved(tmp_path / "plain", **plain)).classes is None
    assert parent(tiny_language.saved(tmp_path / "tokens", "gpt2")).classes is None


def test_random_weights_are_drawn_by_the_seed(tmp_path):
    config = ParentConfig(source="transformers", name=str(tiny_language.saved(tmp_path / "net")), weights="random")
    first, again, other = (load_parent(config, seed=seed).model.state_dict() for seed in (1, 1, 2))
    name = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name])


def test_padding_is_the_networks_own_and_hidden_tokens_change_nothing(tmp_path):
    found = parent(tiny_language.saved(tmp_path / "net", "gpt2-classes"))
    assert len(found.notes) == 1 and "pad_token" in found.notes[0]
    whole = batch(1, 5)
    hidden = torch.cat([whole["input_ids"], torch.full((1, 3), 7)], 1)
    mask = torch.cat([torch.ones(1, 5), torch.zeros(1, 3)], 1).long()
    with torch.inference_mode():
        alone = found.model(**whole).logits
        torch.testing.assert_close(found.model(input_ids=hidden, attention_mask=mask).logits, alone)


def changed(folder, **values):
    config = json.loads((folder / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps({name: one for name, one in config.items() if one is not None}))


FAULTS = {
    "no folder": (lambda folder: shutil.rmtree(folder), ConfigError, "no such folder.*save_pretrained"),
    "no config": (lambda folder: (folder / "config.json").unlink(), ModelError, "no config.json"),
    "not JSON": (lambda folder: (folder / "config.json").write_text("{"), ModelError, "config.json: damaged"),
    "a list": (lambda folder: (folder / "config.json").write_text("[]"), ModelError, "no object of JSON"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), ModelError, "no model.safetensors"),
    "a pickle": (
        lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
        ModelError,
        "but pytorch_model.bin.*save_pretrained",
    ),
    "damaged weights": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"none"),
        ModelError,
        "cannot load it",
    ),
    "no architecture": (lambda folder: changed(folder, architectures=None), ModelError, "architectures name no class"),
    "code of its own": (
        lambda folder: changed(folder, architectures=["Mine"], auto_map={"AutoModel": "mine.Mine"}),
        ModelError,
        "has no Mine.*never run.*module",
    ),
    "no network": (lambda folder: changed(folder, architectures=["BertConfig"]), ModelError, "has no BertConfig"),
    "a head that has no weights": (
        lambda folder: changed(folder, architectures=["BertForMaskedLM"]),
        ModelError,
        "lack cls.*would be random",
    ),
    "other sizes": (lambda folder: changed(folder, hidden_size=16), ModelError, "cannot load it"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_network_is_refused(tmp_path, fault):
    damage, kind, said = FAULTS[fault]
    folder = tiny_language.saved(tmp_path / "net")
    damage(folder)
    with pytest.raises(kind, match=said) as raised:
        parent(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("values", [{"classes": 3}, {"mean": (0.5,), "std": (0.5,)}, {"weights_key": "a"}])
def test_keys_of_other_sources_are_refused(tmp_path, values):
    with pytest.raises(ConfigError, match=r"Leave \w+ out"):
        parent(tiny_language.saved(tmp_path / "net"), **values)


def test_a_file_of_weights_is_refused():
    with pytest.raises(ValueError, match="Leave weights out"):
        ParentConfig(source="transformers", name="net", weights="w.safetensors")
