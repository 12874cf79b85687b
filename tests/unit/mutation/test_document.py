from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from recipes import LINEAGE, LINEAGES, bits, parent, space

from evoray.errors import LineageError
from evoray.mutation import Lineage, Space, apply_lineage, lineage_document, rebuild

STATE = parent()
SPACE = space(STATE)
DOCUMENT = json.loads(json.dumps(lineage_document("tiny", STATE, SPACE, LINEAGE)))


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def signed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its own digest made right again, as someone would who edits more than one place."""
    rest = {key: value for key, value in document.items() if key != "sha256"}
    return {**rest, "sha256": hashlib.sha256(canonical(rest)).hexdigest()}


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return document


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@given(lineage=LINEAGES)
def test_rebuild_gives_the_child(dtype: torch.dtype, lineage: Lineage) -> None:
    state = parent(dtype)
    ours = space(state)
    document = json.loads(json.dumps(lineage_document("tiny", state, ours, lineage)))
    rebuilt = rebuild(document, state, ours)
    expected = ours.unflatten(apply_lineage(ours.flatten(state), ours, lineage.entries))
    assert rebuilt.keys() == state.keys()
    for name, tensor in rebuilt.items():
        assert bits(tensor) == bits(expected.get(name, state[name]))


def test_a_document_as_short_as_the_format_allows() -> None:
    short = {key: DOCUMENT[key] for key in ("format", "parent", "entries", "weights_sha256")}
    short["space"] = {"sha256": SPACE.sha256}
    assert rebuild(short, STATE, SPACE).keys() == STATE.keys()
    with pytest.raises(LineageError, match=r"space\.json"):
        rebuild(short, STATE)


def test_tied_tensors_count_once() -> None:
    document = lineage_document("tiny", STATE, SPACE, LINEAGE, aliases={"head.weight": "fc.weight"})
    rebuilt = rebuild(document, {**STATE, "head.weight": STATE["fc.weight"]})
    assert rebuilt.keys() == STATE.keys()


@pytest.mark.parametrize("name", sorted(STATE))
def test_one_bit_of_the_parent_is_noticed(name: str) -> None:
    tensor = STATE[name].clone()
    tensor.view(-1).view(torch.uint8)[0] ^= 1
    with pytest.raises(LineageError, match=r"the parent digest differs: expected \w{64}, found \w{64}"):
        rebuild(DOCUMENT, {**STATE, name: tensor})


def test_another_space_beside_the_lineage_is_noticed() -> None:
    other = Space.from_state(STATE, [spec.name for spec in SPACE.tensors], "absolute")
    with pytest.raises(LineageError, match=r"the space digest differs: expected \w{64}, found \w{64}"):
        rebuild(DOCUMENT, STATE, other)


def tampered(document: Any) -> Iterator[Any]:
    """The document with one byte changed, for every byte where that leaves JSON of another meaning."""
    text = canonical(document)
    for position in range(len(text)):
        try:
            other = json.loads(text[:position] + bytes([text[position] ^ 1]) + text[position + 1 :])
        except ValueError:
            continue
        if other != document:
            yield other


def test_one_byte_of_the_lineage_is_noticed() -> None:
    cases = list(tampered(DOCUMENT))
    assert len(cases) > 500
    for document in cases:
        with pytest.raises(LineageError, match=r"^(the lineage digest differs|lineage: )"):
            rebuild(document, STATE, SPACE)


def test_one_byte_of_the_space_is_noticed() -> None:
    cases = list(tampered(SPACE.to_json()))
    assert len(cases) > 100
    for document in cases:
        with pytest.raises(LineageError, match=r"^the space (digest differs|is not one of format 1)"):
            rebuild(DOCUMENT, STATE, Space.from_json(document))


EDITS: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "parent": ("the parent digest", lambda d: d["parent"].update(sha256="0" * 64)),
    "space": ("the space digest", lambda d: d["space"].update(sha256="0" * 64)),
    "scale": ("the space digest", lambda d: d["space"]["tensors"][0].update(scale=0.25)),
    "sigma": ("the weights digest", lambda d: d["entries"][0]["mutation"].update(sigma=0.06)),
    "order": ("the weights digest", lambda d: d["entries"].pop()),
    "weights": ("the weights digest", lambda d: d.update(weights_sha256="0" * 64)),
}


@pytest.mark.parametrize("edit", EDITS)
def test_each_digest_is_checked_by_itself(edit: str) -> None:
    message, change = EDITS[edit]
    document = changed(change)
    with pytest.raises(LineageError, match="the lineage digest differs"):
        rebuild(document, STATE)
    with pytest.raises(LineageError, match=message):
        rebuild(signed(document), STATE)


def test_a_space_of_tensors_that_the_parent_lacks_is_refused() -> None:
    other = Space([spec._replace(name=f"x.{spec.name}") for spec in SPACE.tensors])
    document = changed(lambda d: d.update(space={"sha256": other.sha256, **other.to_json()}))
    with pytest.raises(LineageError, match=r"x\.bn\.weight"):
        rebuild(signed(document), STATE)


@pytest.mark.parametrize("key", ["format", "parent", "space", "entries", "weights_sha256"])
@pytest.mark.parametrize("value", [None, 3, "x", [], {}, {"sha256": 1}])
def test_a_malformed_document_is_refused(key: str, value: Any) -> None:
    for document in (changed(lambda d: d.update({key: value})), changed(lambda d: d.pop(key))):
        with pytest.raises(LineageError):
            rebuild(signed(document), STATE)


@pytest.mark.parametrize("document", [None, 3, "x", [], {}, {"format": 1}, {"format": 2}])
def test_what_is_no_lineage_is_refused(document: Any) -> None:
    with pytest.raises(LineageError, match="lineage"):
        rebuild(document, STATE)


@pytest.mark.parametrize("aliases", [3, "xy", [1], None])
def test_malformed_aliases_are_refused(aliases: Any) -> None:
    document = changed(lambda d: d["parent"].update(aliases=aliases))
    with pytest.raises(LineageError, match="lineage"):
        rebuild(signed(document), STATE)
