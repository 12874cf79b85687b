"""Format 1: recipes, the space they act in, and the exact arithmetic of a child. NumPy and torch, no ray."""

from evoray.mutation.apply import add_delta_, apply_lineage, delta, weighted_delta
from evoray.mutation.digest import little_endian, tensors_sha256
from evoray.mutation.document import child_state, lineage_document, rebuild
from evoray.mutation.masks import mask_count, mask_indices
from evoray.mutation.recipe import Entry, Lineage, Mutation, soup
from evoray.mutation.space import Space, TensorSpec
from evoray.mutation.streams import derive_seed, words16, words32
from evoray.mutation.table import TABLE_SHA256, quantiles

__all__ = [
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
    "derive_seed",
    "lineage_document",
    "little_endian",
    "mask_count",
    "mask_indices",
    "quantiles",
    "rebuild",
    "soup",
    "tensors_sha256",
    "weighted_delta",
    "words16",
    "words32",
]
