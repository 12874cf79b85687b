"""Is a network any better than guessing? For tasks whose outputs are classes, from the figures that say so."""

import math
from collections.abc import Mapping

from evoray.data.schema import IMAGES

CHANCE = "is no better than chance"
LEAST = 8
"""Images: of fewer, even a network that is always right cannot be told from guessing among two classes."""
REMEDY = (
    "Look at mean and std (without them images arrive as x/255), at the transform, at which output is which class "
    "(data.outputs), and at whether the network returns logits."
)
OF_RECORDS = (
    "Look at which output is which class (data.outputs), at whether the network returns logits, and at whether its "
    "inputs are what it was trained on."
)
"""What to look at where records are no images."""


def no_better_than_chance(
    figures: Mapping[str, float | None], n: int, classes: int, outputs: int, who: str = "The parent", what: str = IMAGES
) -> str | None:
    """A sentence that says so, with what to look at; None where nothing says so.

    Top-1 accuracy says so up to two standard errors above one of the classes, NLL above that of the same probability
    for every output. Of fewer than ``LEAST`` images nothing is said.

    Args:
        figures: top1 and nll of n images, where they are known and defined.
        classes: of the data. outputs: of the network, one for each class or more.
        what: ``data.counted``'s word for the records.
    """
    top1, nll = figures.get("top1"), figures.get("nll")
    share, reasons = 1 / classes, []
    if top1 is not None and classes > 1 and top1 <= share + 2 * math.sqrt(share * (1 - share) / n):
        reasons.append(
            f"top-1 accuracy {100 * top1:.1f}%, and guessing among {classes} classes gives {100 * share:.1f}%"
        )
    guessing = math.log(max(outputs, 2))
    if nll is not None and nll > guessing:
        reasons.append(f"NLL {nll:.3g}, and the same probability for each of {outputs} outputs gives {guessing:.3g}")
    if not reasons or n < LEAST:
        return None
    return f"{who} {CHANCE} on these {n} {what}: {'; '.join(reasons)}. {REMEDY if what == IMAGES else OF_RECORDS}"
