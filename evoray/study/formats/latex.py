"""A study's tables as LaTeX, with booktabs and nothing else: each to be ``\\input``, and all of them as a document."""

import re
from collections.abc import Mapping, Sequence

from evoray.report.grids import Grid
from evoray.runtime.reading import shown

_LETTERS: Mapping[int, str] = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "&%_#${}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "`": r"\textasciigrave{}",
        '"': "''",  # straight ones are commands of babel's in some languages
        "−": "$-$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "–": "--",
        "…": r"\ldots{}",
    }
)
_UNKNOWN = re.compile(
    "[^\x20-\x7e\xa0-\u0125\u0128-\u0137\u0139-\u013e\u0141-\u0148\u014a-\u0165\u0168-\u017e–—‘’“”„…†‡•€™−±×]"
)
"""Letters that pdfLaTeX stops at: there their number stands, and the letter where the engine reads all of Unicode."""
WIDE = 8
"""More columns than this are set smaller and closer."""
TALL = 36
"""Rows of one float: as many as fit on a page."""
_HEAD = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[a4paper,landscape,margin=15mm]{geometry}
\usepackage{booktabs}
\title{%s}
\author{}
\date{}
\begin{document}
\maketitle
"""


def document(title: str, names: Sequence[str]) -> str:
    """Of all tables, to be compiled beside the folder that they stand in; names: of their files."""
    inputs = "".join(f"\\input{{{name}}}\n\\clearpage\n" for name in names)
    return _HEAD % escaped(title) + inputs + "\\end{document}\n"


def table(grid: Grid, label: str) -> str:
    """A floating table of a grid: ``\\usepackage{booktabs}``; numbers to the right. label: of ``\\ref{tab:label}``. One
    that no page holds is several floats, the first of which has label and note."""
    first, *others = (grid.rows[start : start + TALL] for start in range(0, max(len(grid.rows), 1), TALL))
    floats = [_float(grid, first, f"{grid.title}. {grid.note}".strip(), [f"\\label{{tab:{label}}}"])]
    floats += [_float(grid, rows, f"{grid.title}, continued.", []) for rows in others]
    return "\n".join(floats)


def _float(grid: Grid, rows: Sequence[Sequence[str]], caption: str, label: Sequence[str]) -> str:
    form = "l" * grid.words + "r" * (len(grid.columns) - grid.words)
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}[tbp]",
        "\\centering",
        *(("\\scriptsize", "\\setlength{\\tabcolsep}{3pt}") if len(grid.columns) > WIDE else ("\\footnotesize",)),
        f"\\caption{{{escaped(caption)}}}",
        *label,
        f"\\begin{{tabular}}{{{form}}}",
        "\\toprule",
        _row(grid.columns),
        "\\midrule",
        *(_row(row) for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    first, *others = (escaped(cell) for cell in cells)
    # behind the end of the line before, a bracket or a star would be read as that command's own
    first = f"{{}}{first}" if first[:1] in ("[", "*") else first
    return " & ".join((first, *others)) + r" \\"


def escaped(text: str) -> str:
    """A text as LaTeX sets it letter for letter, on one line."""
    parts = re.split(r"(?<=-)(?=-)|(?<=')(?=')|(?<=,)(?=,)", shown(text, 6 * len(text) + 3))
    text = "{}".join(part.translate(_LETTERS) for part in parts)  # two letters, and no dash nor quotation mark
    return _UNKNOWN.sub(lambda one: rf"\ifdefined\Umathcode {one[0]}\else U+{ord(one[0]):04X}\fi{{}}", text)
