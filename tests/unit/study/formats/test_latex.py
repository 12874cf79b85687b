from __future__ import annotations

import re

import pytest

from evoray.report.grids import Grid
from evoray.study.formats.latex import TALL, document, escaped, table

SPECIAL = r"a\b & 50% _x_ #1 $y$ ~z ^2 {c}"
COMMANDS = r"\\(?:textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textasciigrave|ldots)\{\}"
UNKNOWN = r"\\ifdefined\\Umathcode (.)\\else U\+[0-9A-F]{4,}\\fi\{\}"


def as_read(text):
    """What LaTeX sets of an escaped text; AssertionError where a letter that is a command was left."""
    said = {
        "textbackslash": "\\",
        "textasciitilde": "~",
        "textasciicircum": "^",
        "textless": "<",
        "textgreater": ">",
        "textbar": "|",
        "textasciigrave": "`",
        "ldots": "…",
    }
    read, at = "", 0
    rules = [
        (UNKNOWN, lambda found: re.fullmatch(UNKNOWN, found)[1]),
        (COMMANDS, lambda found: said[found[1:-2]]),
        (r"\\[&%_#${}]", lambda found: found[1]),
        (r"\$(?:-|\\pm|\\times)\$", lambda found: {"$-$": "−", "$\\pm$": "±"}.get(found, "×")),
        (r"\{\}", lambda found: ""),
        (r"[^\\&%_#${}~^]", lambda found: found),
    ]
    while at < len(text):
        for rule, say in rules:
            if found := re.compile(rule).match(text, at):
                read, at = read + say(found.group()), found.end()
                break
        else:
            raise AssertionError(text[at:])
    return read


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a & b", r"a \& b"),
        ("50%", r"50\%"),
        ("small_cnn", r"small\_cnn"),
        ("#1 $x$", r"\#1 \$x\$"),
        ("~ ^", r"\textasciitilde{} \textasciicircum{}"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("−0.05 ± 0.01", r"$-$0.05 $\pm$ 0.01"),
        ("–", "--"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ('sigma = "auto"', "sigma = ''auto''"),
        ("it''s", "it'{}'s"),
        ("éœš€“”", "éœš€“”"),
        ("σ", r"\ifdefined\Umathcode σ\else U+03C3\fi{}"),
    ],
)
def test_a_text_is_set_letter_for_letter(text, written):
    assert escaped(text) == written


@pytest.mark.parametrize("text", [SPECIAL, *SPECIAL, "\\\\[5pt]", "%%", r"\end{table}", "a<b>c|d`e…f", "σ_中文𝛼"])
def test_no_letter_stays_a_command(text):
    assert as_read(escaped(text)) == text


def test_what_is_no_letter_is_shown():
    assert as_read(escaped("a\nb\x1b[31m\0")) == r"a\x0ab\x1b[31m\x00"


def parsed(written):
    """The environment's column form and cells of a table, row by row."""
    assert written.count("{") - written.count(r"\{") == written.count("}") - written.count(r"\}")
    form, body = re.search(r"\\begin\{tabular\}\{(\w+)\}\n(.*)\\end\{tabular\}", written, re.DOTALL).groups()
    top, head, middle, *rows, bottom = body.splitlines()
    assert (top, middle, bottom) == ("\\toprule", "\\midrule", "\\bottomrule")
    assert all(row.endswith(r" \\") for row in (head, *rows))
    return form, [[as_read(cell) for cell in row.removesuffix(r" \\").split(" & ")] for row in (head, *rows)]


def test_a_table_has_its_columns_rows_and_cells():
    rows = (("a&b", "50%", "−1 [−2, 0]"), ("[x]", "#2", "–"), ("*", "{", "\\"))
    form, cells = parsed(table(Grid("T & T", ("Parent", "n_1", "95%"), rows, "A note, 100%.", words=2), "t"))
    assert form == "llr"
    assert cells == [["Parent", "n_1", "95%"], ["a&b", "50%", "−1 [−2, 0]"], ["[x]", "#2", "--"], ["*", "{", "\\"]]


def test_a_row_that_begins_with_a_bracket_or_a_star_ends_no_line_above():
    written = table(Grid("T", ("A",), (("[2pt]",), ("*",))), "t")
    assert "\n{}[2pt]" in written and "\n{}*" in written


def test_title_note_and_label_stand_in_the_table():
    written = table(Grid("50% & more", ("A",), (("b",),), "x_1."), "fifty")
    assert "\\caption{50\\% \\& more. x\\_1.}" in written and "\\label{tab:fifty}" in written
    begun = re.findall(r"\\begin\{(\w+)\}", written)
    assert begun == list(reversed(re.findall(r"\\end\{(\w+)\}", written))) == ["table", "tabular"]


def test_the_document_names_every_table_once():
    written = document("Study_1", ["tables/a", "tables/b"])
    assert re.findall(r"\\input\{([^}]*)\}", written) == ["tables/a", "tables/b"]
    assert "\\title{Study\\_1}" in written and written.endswith("\\end{document}\n")


def test_a_table_that_no_page_holds_is_several():
    grid = Grid("Cases", ("a", "b"), tuple((f"r{row}", "1") for row in range(2 * TALL + 1)), "A note.")
    parts = table(grid, "cases").split("% needs")[1:]
    rows = [re.findall(r"^r\d+", part, re.MULTILINE) for part in parts]
    assert [len(one) for one in rows] == [TALL, TALL, 1] and [one for part in rows for one in part] == [
        one[0] for one in grid.rows
    ]
    assert [part.count("\\label{tab:cases}") for part in parts] == [1, 0, 0]
    assert ["A note." in part for part in parts] == [True, False, False]
    assert all("\\caption{Cases, continued.}" in part for part in parts[1:])
