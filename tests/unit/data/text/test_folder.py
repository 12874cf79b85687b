"""What a network's own configuration says."""

from __future__ import annotations

import pytest

from evoray.data.text.folder import context_of


@pytest.mark.parametrize(
    ("values", "context"),
    [
        ({"max_position_embeddings": 512}, 512),
        ({"n_positions": 1024}, 1024),
        ({"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1}, 512),
        ({"max_position_embeddings": 514, "model_type": "xlm-roberta", "pad_token_id": 1}, 512),
        ({"text_config": {"max_position_embeddings": 99}}, 99),
        ({"max_position_embeddings": "many"}, None),
        ({}, None),
    ],
)
def test_the_context(values, context):
    assert context_of(values) == context
