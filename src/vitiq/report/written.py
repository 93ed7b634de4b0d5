"""Tables written as Markdown and LaTeX, each with its note, and their numbers as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from vitiq.report.table import Table
from vitiq.text import escape_markdown


def to_markdown(table: Table) -> str:
    """A Markdown section."""

    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    def cell(row: int, column: int, text: str) -> str:
        return f"**{escape_markdown(text)}**" if (row, column) in table.bold else escape_markdown(text)

    rule = "|" + "|".join(["---"] + ["---:"] * (len(table.header) - 1)) + "|"
    shown = [line(cell(i, j, text) for j, text in enumerate(row)) for i, row in enumerate(table.rows)]
    body = [f"## {escape_markdown(table.title)}", "", line(map(escape_markdown, table.header)), rule, *shown, ""]
    return "\n".join([*body, escape_markdown(table.note), ""] if table.note else body)


ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "–": "--",
    "−": r"$-$",
    "∞": r"$\infty$",
    "×": r"$\times$",
    "…": r"\dots{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "†": r"\textsuperscript{\dag}",
    "\n": " ",
}


def escape_latex(value: str) -> str:
    """Text that LaTeX prints as it is; a letter that T1 fonts have not is printed as a question mark."""
    shown = []
    for character in value:
        known = ESCAPES.get(character)
        shown.append(
            known if known is not None else character if ord(character) < 0x180 and character.isprintable() else "?"
        )
    return "".join(shown)


LABEL = 26
"""Characters of a row's label beyond which it takes several lines."""
ONE_COLUMN = 56
"""Characters of \\small, with the space between columns, that fit one column of a two-column paper."""


def _widest(table: Table, place: int) -> int:
    return max(len(row[place]) for row in (table.header, *table.rows))


def to_latex(table: Table) -> str:
    """A table environment for the packages booktabs and array, its notes below it.

    `table*`, which spans two columns, where it is wide.
    """

    def cell(row: int, column: int, text: str) -> str:
        return rf"\textbf{{{escape_latex(text)}}}" if (row, column) in table.bold else escape_latex(text)

    wide = [_widest(table, place) for place in range(len(table.header))]
    first = rf">{{\raggedright\arraybackslash}}p{{{LABEL / 6:.1f}cm}}" if wide[0] > LABEL else "l"
    kind = "table*" if min(wide[0], LABEL) + sum(wide[1:]) + 2 * len(wide) > ONE_COLUMN else "table"
    parts = [
        rf"\begin{{{kind}}}",
        r"\centering\small",
        rf"\caption{{{escape_latex(table.title)}}}",
        rf"\label{{tab:{table.name}}}",
        # Scaled down to the line where it is wider, else as it is.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{first}{'r' * (len(table.header) - 1)}}}",
        r"\toprule",
        " & ".join(escape_latex(head) for head in table.header) + r" \\",
        r"\midrule",
    ]
    for index, row in enumerate(table.rows):
        if index in table.rules:
            parts.append(r"\midrule")
        parts.append(" & ".join(cell(index, place, text) for place, text in enumerate(row)) + r" \\")
    parts += [r"\bottomrule", r"\end{tabular}}"]
    if table.note:
        parts.append(rf"\par\smallskip\parbox{{\linewidth}}{{\footnotesize {escape_latex(table.note)}}}")
    return "\n".join([*parts, rf"\end{{{kind}}}", ""])


def to_csv(table: Table) -> str:
    """The table's data as comma-separated values, numbers as Python writes them; "" where there is none.

    No note: it would be one more row to most readers. `notes` has them.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table.data[0]) if table.data else ["codec"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in table.data)
    return text.getvalue()


def _plain(value: object) -> object:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def notes(tables: Sequence[Table]) -> str:
    """What each table is and what a reader must know of it, beside files that hold numbers alone."""
    return "\n".join(f"{table.name}.csv: {table.title}. {table.note}".rstrip() + "\n" for table in tables)
