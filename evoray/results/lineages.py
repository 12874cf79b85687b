"""The recipes of a run, from which every network that it reports can be built again."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from evoray.ensembles import Member
from evoray.models import Buffers, state_bytes
from evoray.mutation import Lineage, lineage_document
from evoray.search.population import Judged
from evoray.search.session import OpenRun
from evoray.strategies import Ask

SMALL_PARENT_BYTES = 64 * 2**20
"""A parent up to this size is kept in the run directory, so that it stands alone."""


def buffers_file(buffers: Buffers) -> bytes:
    """BatchNorm statistics as .safetensors."""
    return state_bytes({name: torch.from_numpy(values) for name, values in buffers.items()})


def write_lineages(
    run: OpenRun, judged: Sequence[Judged], soup: Ask | None, best: Judged, members: Sequence[Member]
) -> None:
    """A lineage file for the parent, the best child, the soup, every member, and each generation's base."""
    lineages = {"parent": Lineage(), "best": best.ask.lineage, "soup": soup.lineage if soup else Lineage()}
    lineages |= {member.name: member.lineage for member in members}
    for one in judged:
        if one.ask.kind == "child":
            lineages[f"bases/g{one.ask.generation:04d}"] = one.ask.base
    inputs = run.inputs
    for name, lineage in lineages.items():
        document = lineage_document(inputs.parent.name, inputs.state, inputs.space, lineage, aliases=inputs.aliases)
        run.directory.write_json(f"lineage/{name}.json", document)
    if sum(tensor.nbytes for tensor in inputs.state.values()) <= SMALL_PARENT_BYTES:
        run.directory.write("parent.safetensors", state_bytes(inputs.state))
