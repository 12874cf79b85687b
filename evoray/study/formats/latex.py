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
WIDE = 8
"""More columns than this are set smaller and closer."""
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
    """A floating table of a grid: ``\\usepackage{booktabs}``; numbers to the right. label: of ``\\ref{tab:label}``."""
    form = "l" * grid.words + "r" * (len(grid.columns) - grid.words)
    caption = escaped(f"{grid.title}. {grid.note}".strip())
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}[tbp]",
        "\\centering",
        *(("\\scriptsize", "\\setlength{\\tabcolsep}{3pt}") if len(grid.columns) > WIDE else ("\\footnotesize",)),
        f"\\caption{{{caption}}}",
        f"\\label{{tab:{label}}}",
        f"\\begin{{tabular}}{{{form}}}",
        "\\toprule",
        _row(grid.columns),
        "\\midrule",
        *(_row(row) for row in grid.rows),
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
    return "{}".join(part.translate(_LETTERS) for part in parts)  # two letters, and no dash nor quotation mark
