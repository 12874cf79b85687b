"""Hidden tokens are the parent's padding, masks ask for nothing, and positions keep their precision."""

from __future__ import annotations

import pytest
import tiny_language
import torch

from evoray.evaluation.host import cast_floating
from evoray.evaluation.kept.tape import Unrepeatable, record
from evoray.models.transformers.attention import OWN, prepare, prepare_inside, with_own_padding


def padded(hidden=0):
    ids = torch.randint(4, 19, (3, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    return {"input_ids": ids.masked_fill(mask == 0, hidden), "attention_mask": mask}


def test_hidden_tokens_become_the_networks_padding():
    network, given = tiny_language.network("gpt2", pad_token_id=1), padded(9)
    _, named = with_own_padding(network, (), given)
    assert named["input_ids"][1, 5:].tolist() == [1, 1]
    assert torch.equal(named["input_ids"][0], given["input_ids"][0]) and given["input_ids"][1, 5:].tolist() == [9, 9]
    assert with_own_padding(network, (), {"input_ids": given["input_ids"]}) is None


@pytest.mark.parametrize("kind", ["bert", "gpt2", "gpt2-classes", "llama"])
def test_a_pass_is_recorded_and_gives_the_librarys_bits(kind):
    network, given = tiny_language.network(kind), padded()
    network.config.use_cache = False
    network.config.pad_token_id = 0
    run = lambda: network(**given)  # noqa: E731
    with torch.inference_mode():
        expected = run().logits
        with pytest.raises(Unrepeatable, match="depends on the batch"):
            record(run, list(given.values()), lambda tensor: ())
        prepare(network)
        assert network.config._attn_implementation == OWN
        tape, found = record(run, list(given.values()), lambda tensor: ())
    assert len(tape.operations) > 50
    assert torch.equal(found.logits, expected)


def test_positions_keep_their_precision(tmp_path):
    from transformers import LlamaForCausalLM

    network = tiny_language.network("llama").to(torch.bfloat16)
    network.save_pretrained(tmp_path)
    own = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    network = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    state, network.config.pad_token_id = set(network.state_dict()), 0
    prepare(network)
    cast_floating(network, torch.bfloat16, torch.device("cpu"))
    assert network.model.rotary_emb.inv_freq.dtype == torch.float32 and set(network.state_dict()) == state
    with torch.inference_mode():
        given = padded()
        torch.testing.assert_close(network(**given).logits, own(**given).logits)


def test_networks_inside_a_users_module_are_prepared_where_they_know_their_padding():
    inner, unknown, given = tiny_language.network("bert"), tiny_language.network("gpt2"), padded()
    inner.config.pad_token_id, unknown.config.pad_token_id = 0, None
    whole = torch.nn.ModuleDict({"inner": inner, "unknown": unknown})
    with torch.inference_mode():
        expected = inner(**given).logits
        prepare_inside(whole)
        record(lambda: inner(**given), list(given.values()), lambda tensor: ())
        assert torch.equal(inner(**given).logits, expected)
    assert (inner.config._attn_implementation, unknown.config._attn_implementation) == (OWN, "sdpa")
    assert sum(len(part._forward_pre_hooks) for part in whole.modules()) == 1
