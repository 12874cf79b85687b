"""Format 1: recipes, the space they act in, and the exact arithmetic of a child. NumPy and torch, no ray."""

from evoray.mutation.apply import (
    BLOCK,
    add_delta_,
    apply_lineage,
    delta,
    delta_between,
    delta_blocks,
    put_,
    weighted_delta,
)
from evoray.mutation.digest import little_endian, tensors_sha256
from evoray.mutation.document import child_state, lineage_document, rebuild
from evoray.mutation.masks import mask_count, mask_indices, strata_of
from evoray.mutation.recipe import Entry, Lineage, Mutation, soup
from evoray.mutation.space import Space, TensorSpec
from evoray.mutation.streams import derive_seed, words16, words32
from evoray.mutation.table import TABLE_SHA256, quantiles

__all__ = [
    "BLOCK",
    "TABLE_SHA256",
    "Entry",
    "Lineage",
    "Mutation",
    "Space",
    "TensorSpec",
    "add_delta_",
    "apply_lineage",
    "child_state",
    "delta",
    "delta_between",
    "delta_blocks",
    "derive_seed",
    "lineage_document",
    "little_endian",
    "mask_count",
    "mask_indices",
    "put_",
    "quantiles",
    "rebuild",
    "soup",
    "strata_of",
    "tensors_sha256",
    "weighted_delta",
    "words16",
    "words32",
]
