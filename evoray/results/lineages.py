"""The recipes of a run, from which every network that it reports can be built again."""

import torch

from evoray.models import Buffers, state_bytes
from evoray.mutation import Lineage, lineage_document
from evoray.results.members import Choices
from evoray.search.session import Session

SMALL_PARENT_BYTES = 64 * 2**20
"""A parent up to this size is kept in the run directory, so that it stands alone."""


def buffers_file(buffers: Buffers) -> bytes:
    """BatchNorm statistics as .safetensors."""
    return state_bytes({name: torch.from_numpy(values) for name, values in buffers.items()})


def write_lineages(session: Session, choices: Choices) -> None:
    """A lineage file for the parent, the best child, the soup, every member, and each generation's base."""
    soup = choices.soup.lineage if choices.soup else Lineage()
    lineages = {"parent": Lineage(), "best": choices.best.ask.lineage, "soup": soup}
    lineages |= {member.name: member.lineage for member in choices.members}
    for one in choices.evaluated:
        if one.ask.kind == "child":
            lineages[f"bases/g{one.ask.generation:04d}"] = one.ask.base
    inputs = session.inputs
    for name, lineage in lineages.items():
        document = lineage_document(inputs.parent.name, inputs.state, inputs.space, lineage, aliases=inputs.aliases)
        session.directory.write_json(f"lineage/{name}.json", document)
    if sum(tensor.nbytes for tensor in inputs.state.values()) <= SMALL_PARENT_BYTES:
        session.directory.write("parent.safetensors", state_bytes(inputs.state))
