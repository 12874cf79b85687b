from __future__ import annotations

import json

import pytest

from evoray.begin.explain import all_sections
from evoray.errors import ConfigError

SIGMA = """\
mutation.parts (where mutation.kind = "partition")
  K: a child changes one weight in so many; 1 is the dense mutation.
  takes      a whole number from 1 to 2,147,483,648
  default    10
  stands in  [mutation]
  read by    evoray.mutation.partition.PartitionConfig
"""


def test_a_key_is_explained(evoray):
    assert evoray("explain", "mutation.parts").startswith(SIGMA)


def test_a_section_lists_its_keys_and_variants(evoray):
    shown = evoray("explain", "search")
    assert shown.startswith("[search]\n") and "  cma-es " in shown and "Default 40." in shown


def test_a_required_key_says_so_and_one_that_may_change_too(evoray):
    shown = evoray("explain", "data.path")
    assert "none: it has to be given" in shown and "--resume" in shown


def test_machines_get_one_document(evoray):
    (found,) = json.loads(evoray("explain", "soup.size", "--json"))
    assert found["name"] == "soup.size" and found["default"] == '"auto"'
    (found,) = json.loads(evoray("explain", "soup", "--json"))
    assert [key["name"] for key in found["keys"]] == ["soup.method", "soup.size", "soup.recalibrate"]


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(evoray, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    for key in ("compute", "mutation", "task.name", "ensemble.method"):
        assert max(map(len, evoray("explain", key).splitlines())) <= width
    assert max(map(len, evoray("explain").splitlines())) <= width


def test_a_misspelt_key_is_refused(evoray):
    with pytest.raises(ConfigError, match="did you mean"):
        evoray("explain", "mutation.sgima")


def test_without_a_name_every_section_and_key_is_listed(evoray):
    listed = evoray("explain")
    words = set(listed.replace(",", " ").split())
    for section in all_sections().values():
        assert not section.name or f"[{section.name}]" in words
        assert {key.name.rpartition(".")[2] for key in section.keys} <= words
    assert [one["name"] for one in json.loads(evoray("explain", "--json"))] == list(all_sections())
