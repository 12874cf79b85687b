"""Nats of next tokens: those of transformers' own loss, however many texts a pass has."""

from __future__ import annotations

import pytest
import tiny_language
import torch

from evoray.errors import ModelError
from evoray.tasks.text import likelihood


def inputs(lengths=(9, 4, 6)):
    ids = torch.randint(4, 19, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("together", [4096, 18, 1])
def test_they_are_the_librarys_loss(monkeypatch, kind, together):
    monkeypatch.setattr(likelihood, "TOGETHER", together)
    network, given = tiny_language.network(kind), inputs()
    with torch.inference_mode():
        found = likelihood.nats(network, given, given["attention_mask"])
        for row, length in enumerate((9, 4, 6)):
            ids = given["input_ids"][row : row + 1, :length]
            expected = network(input_ids=ids, labels=ids).loss * (length - 1)
            assert found[row].item() == pytest.approx(expected.item(), rel=1e-5)


def test_only_tokens_that_count_do():
    network, given = tiny_language.network("gpt2"), inputs((9, 9))
    counted = torch.zeros(2, 9, dtype=torch.long)
    counted[:, 0] = 1  # never counts: nothing stands before it
    with torch.inference_mode():
        assert likelihood.nats(network, given, counted).tolist() == [0, 0]
        counted[:, 5:] = 1
        late = likelihood.nats(network, given, counted)
        counted[:, 1:] = 1 - counted[:, 1:]
        early = likelihood.nats(network, given, counted)
        whole = likelihood.nats(network, given, torch.ones_like(counted))
    torch.testing.assert_close(late + early, whole)


def test_a_network_without_scores_of_tokens():
    with (
        torch.inference_mode(),
        pytest.raises(ModelError, match=r"gives \[3, 2\] for \[3, 9\] tokens.*predicts tokens"),
    ):
        likelihood.nats(tiny_language.network(), inputs(), inputs()["attention_mask"])
