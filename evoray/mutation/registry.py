"""Names to kinds of mutation: a new one is a file, and a line here."""

from evoray.config.variants import Variants
from evoray.mutation.recipe import Recipe

KINDS: Variants[Recipe] = Variants(
    "mutation.kind",
    Recipe,  # type: ignore[type-abstract]  # no class is made from it, others are compared with it
    {
        "partition": "evoray.mutation.partition:Partition",
        "layered": "evoray.mutation.layered:Layered",
        "towards": "evoray.mutation.towards:Towards",
    },
)
