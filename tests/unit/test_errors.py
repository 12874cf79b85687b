from __future__ import annotations

import re

import pytest

from evoray import EvorayError, errors

KINDS = [value for value in vars(errors).values() if isinstance(value, type)]


def test_the_tree_is_the_one_that_is_drawn():
    """Each line of the module's docstring is a class, indented under its parent, with its exit code or its parent's."""
    above: list[type] = []
    drawn = set()
    for line in errors.__doc__.splitlines():
        found = re.match(r"([│├└─ ]*)(\w+Error)\b(?:\s+exit (\d+))?", line)
        if not found:
            continue
        indent, name, code = found.groups()
        kind = getattr(errors, name)
        depth = len(indent) // 4
        assert kind.__base__ is (above[depth - 1] if depth else Exception)
        assert code is None or kind.exit_code == int(code)
        above[depth:] = [kind]
        drawn.add(kind)
    assert drawn == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_caught_as_evorays_and_ends_with_1_or_2_or_as_ctrl_c_does(kind):
    with pytest.raises(EvorayError, match="what, where, what to do"):
        raise kind("what, where, what to do")
    assert kind.exit_code == (2 if issubclass(kind, errors.UsageError) else 130 if kind is errors.StoppedError else 1)
    assert kind.__doc__
