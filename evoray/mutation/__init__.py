"""Recipes of mutations, the space they act in, and the exact arithmetic of a child. NumPy and torch, no ray.

Names are imported on first use: recipes and their kinds need no torch, and configurations are read without it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evoray.mutation.apply import BLOCK as BLOCK, add_delta_ as add_delta_, apply_lineage as apply_lineage
    from evoray.mutation.apply import delta as delta, delta_between as delta_between, delta_blocks as delta_blocks
    from evoray.mutation.apply import put_ as put_, weighted_delta as weighted_delta
    from evoray.mutation.document import little_endian as little_endian, tensors_sha256 as tensors_sha256
    from evoray.mutation.document import child_state as child_state, lineage_document as lineage_document
    from evoray.mutation.document import rebuild as rebuild
    from evoray.mutation.masks import mask_count as mask_count, mask_indices as mask_indices, strata_of as strata_of
    from evoray.mutation.partition import Mutation as Mutation
    from evoray.mutation.recipe import Entry as Entry, Lineage as Lineage, Recipe as Recipe, first_used as first_used
    from evoray.mutation.recipe import shared_base as shared_base, soup as soup
    from evoray.mutation.space import Space as Space, TensorSpec as TensorSpec
    from evoray.mutation.streams import words16 as words16, words32 as words32
    from evoray.mutation.table import TABLE_SHA256 as TABLE_SHA256, quantiles as quantiles

_NAMES = {
    "apply": "BLOCK add_delta_ apply_lineage delta delta_between delta_blocks put_ weighted_delta",
    "document": "child_state lineage_document little_endian rebuild tensors_sha256",
    "masks": "mask_count mask_indices strata_of",
    "partition": "Mutation",
    "recipe": "Entry Lineage Recipe first_used shared_base soup",
    "space": "Space TensorSpec",
    "streams": "words16 words32",
    "table": "TABLE_SHA256 quantiles",
}
_LAZY = {name: module for module, names in _NAMES.items() for name in names.split()}
"""Which module each name lives in."""

__all__ = [*_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = found
    return found
