from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest

from evoray.report.look.svg import BESIDE, LETTERS, WIDTH, as_pngs, new_figure, plain, style, to_svg


def drawn(name="one", description="what it shows", label="Accuracy (%)"):
    with style(name):
        figure, (axes,) = new_figure(2.0)
        axes.plot([1, 2], [3, 4], marker="o", label="Children")
        axes.set_xlabel(label)
        axes.legend()
        return to_svg(figure, description)


def test_it_is_one_element_that_a_page_can_hold():
    svg = drawn()
    assert svg.startswith("<svg ") and svg.endswith("</svg>") and svg.count("<svg") == 1
    for foreign in ("<?xml", "<!DOCTYPE", "<metadata", "xmlns", "http"):
        assert foreign not in svg
    root = ET.fromstring(svg.replace("xlink:", ""))
    assert "viewBox" in root.attrib and not {"width", "height", "version"} & set(root.attrib)


def test_text_is_text_and_no_formula():
    svg = drawn(label="a $x^2$ & <b>")
    assert re.search(r"<text[^>]*>a \$x\^2\$ &amp; &lt;b&gt;</text>", svg)


def test_it_is_described_for_those_who_hear_the_page():
    svg = drawn(description='a "b" & <c>')
    root = ET.fromstring(svg.replace("xlink:", ""))
    assert root.attrib["role"] == "img" and root.attrib["aria-label"] == 'a "b" & <c>'


def test_the_same_drawing_is_the_same_text_and_another_name_has_other_ids():
    assert drawn() == drawn()
    first, second = (set(re.findall(r'\bid="([^"]+)"', drawn(name))) for name in ("one", "two"))
    assert first and second and not first & second


def test_every_id_that_is_used_is_there():
    svg = drawn()
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert used and used <= set(re.findall(r'\bid="([^"]+)"', svg))


def test_no_global_setting_is_left_changed():
    before = dict(mpl.rcParams)
    drawn()
    with pytest.raises(LookupError), style("broken"):
        raise LookupError
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("rows", [1, 3])
def test_a_figure_is_a_column_of_axes_of_one_width(rows):
    figure, panels = new_figure(4.5, rows, share_x=True)
    assert len(panels) == rows and figure.get_size_inches().tolist() == [WIDTH, 4.5]
    panels[0].set_xlim(3, 9)
    assert all(axes.get_xlim() == (3, 9) for axes in panels)


def test_whom_svg_is_no_picture_takes_pngs():
    before, taken = drawn(), []
    with as_pngs(taken.append):
        assert drawn() == ""
    assert [png[:4] for png in taken] == [b"\x89PNG"]
    assert drawn() == before


def test_colours_are_the_pages_and_a_file_has_them_itself():
    svg = drawn()
    assert re.search(r"(fill|stroke): var\(--ink, #1f2933\)", svg) and not re.search(r": #1f2933", svg)
    alone = plain(svg)
    assert "var(" not in alone and ": #1f2933" in alone


@pytest.mark.parametrize(
    "label", ["Short", "a measure of one's own with a name that nobody shortened (percentage points)"]
)
def test_a_label_is_broken_where_the_axes_end(label):
    svg = drawn(label=label)
    lines = [line for line in re.findall(r"<text[^>]*>([^<]*)</text>", svg) if line and line in label]
    assert " ".join(lines) == label and (len(lines) == 1) == (label == "Short")
    assert max(map(len, lines)) <= (WIDTH - BESIDE) * LETTERS
