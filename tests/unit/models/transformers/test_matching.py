"""Shards of another tokenizer are refused, of either split."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_language

from evoray.config import ComputeConfig
from evoray.data.text.tokenizer import tokenizer_digest
from evoray.errors import ConfigError, DataError
from evoray.models import Parent
from evoray.models.transformers.matching import check_text

COMPUTE = ComputeConfig()


def splits(select, test):
    made = [{} if one is None else {"tokenizer": one} for one in (select, test)]
    return SimpleNamespace(
        described={name: SimpleNamespace(made=one) for name, one in zip(("select", "test"), made, strict=True)}
    )


@pytest.fixture
def parent(tmp_path):
    return Parent(None, tokenizer=str(tiny_language.tokenizer(tmp_path / "one")))


def test_the_parents_own_and_data_without_text(parent):
    own = tokenizer_digest(Path(parent.tokenizer))
    check_text(COMPUTE, parent, splits(own, own))
    check_text(COMPUTE, Parent(None), splits(None, None))


@pytest.mark.parametrize(("others", "said"), [((0, 1), "data.test_path"), ((1, 0), "data.path"), ((1, 1), "data.path")])
def test_another_one(parent, others, said):
    own = tokenizer_digest(Path(parent.tokenizer))
    with pytest.raises(DataError, match=f"{said}.*another tokenizer.*Ingest them again with --for"):
        check_text(COMPUTE, parent, splits(*("f" * 64 if other else own for other in others)))


def test_a_parent_that_names_none():
    with pytest.raises(DataError, match=r"names no tokenizer.*evoray\.Parent\(model, tokenizer=FOLDER\)"):
        check_text(COMPUTE, Parent(None), splits("f" * 64, "f" * 64))


@pytest.mark.parametrize("key", ["compile", "cuda_graphs"])
def test_batches_of_one_shape(parent, key):
    own = tokenizer_digest(Path(parent.tokenizer))
    check_text(ComputeConfig(**{key: True}), parent, splits(None, None))
    with pytest.raises(
        ConfigError, match=rf"compute\.{key} = true: .*as long as its longest\. Set compute\.{key} = false"
    ):
        check_text(ComputeConfig(**{key: True}), parent, splits(own, own))
