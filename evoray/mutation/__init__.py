"""Recipes of mutations, the space they act in, and the exact arithmetic of a child. NumPy and torch, no ray.

Names are imported on first use: recipes and their kinds need no torch, and configurations are read without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evoray.mutation.apply import BLOCK as BLOCK
    from evoray.mutation.apply import add_delta_ as add_delta_
    from evoray.mutation.apply import apply_lineage as apply_lineage
    from evoray.mutation.apply import delta as delta
    from evoray.mutation.apply import delta_between as delta_between
    from evoray.mutation.apply import delta_blocks as delta_blocks
    from evoray.mutation.apply import put_ as put_
    from evoray.mutation.apply import weighted_delta as weighted_delta
    from evoray.mutation.digest import little_endian as little_endian
    from evoray.mutation.digest import tensors_sha256 as tensors_sha256
    from evoray.mutation.document import child_state as child_state
    from evoray.mutation.document import lineage_document as lineage_document
    from evoray.mutation.document import rebuild as rebuild
    from evoray.mutation.masks import mask_count as mask_count
    from evoray.mutation.masks import mask_indices as mask_indices
    from evoray.mutation.masks import strata_of as strata_of
    from evoray.mutation.partition import Mutation as Mutation
    from evoray.mutation.recipe import Entry as Entry
    from evoray.mutation.recipe import Lineage as Lineage
    from evoray.mutation.recipe import Recipe as Recipe
    from evoray.mutation.recipe import first_used as first_used
    from evoray.mutation.recipe import shared_base as shared_base
    from evoray.mutation.recipe import soup as soup
    from evoray.mutation.space import Space as Space
    from evoray.mutation.space import TensorSpec as TensorSpec
    from evoray.mutation.streams import words16 as words16
    from evoray.mutation.streams import words32 as words32
    from evoray.mutation.table import TABLE_SHA256 as TABLE_SHA256
    from evoray.mutation.table import quantiles as quantiles

_LAZY = {
    "BLOCK": "apply",
    "add_delta_": "apply",
    "apply_lineage": "apply",
    "delta": "apply",
    "delta_between": "apply",
    "delta_blocks": "apply",
    "put_": "apply",
    "weighted_delta": "apply",
    "little_endian": "digest",
    "tensors_sha256": "digest",
    "child_state": "document",
    "lineage_document": "document",
    "rebuild": "document",
    "mask_count": "masks",
    "mask_indices": "masks",
    "strata_of": "masks",
    "Mutation": "partition",
    "Entry": "recipe",
    "Lineage": "recipe",
    "Recipe": "recipe",
    "first_used": "recipe",
    "shared_base": "recipe",
    "soup": "recipe",
    "Space": "space",
    "TensorSpec": "space",
    "words16": "streams",
    "words32": "streams",
    "TABLE_SHA256": "table",
    "quantiles": "table",
}
"""Which module each name lives in."""

__all__ = [*_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = found
    return found
