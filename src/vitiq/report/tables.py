"""Tables of a model as rows of text, and rows as Markdown, LaTeX and CSV; their notes go with them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vitiq.evaluation.record import Record
from vitiq.report.answer import first_level, percent_text, seconds_text, size_text
from vitiq.report.comparisons import LITTLE_OVERLAP, anchor_of, bd_table
from vitiq.report.metric_info import number_text
from vitiq.report.model import Model, Row, best, ranked, sets_the_size

THESIS = (
    ("Bevo", 0.14, 0.26, 3479.34, 12.68, 32.92, 39.55, 1241999.9),
    ("Kliment", 0.54, 0.56, 1759.28, 15.64, -8.36, 44.36, 549089.5),
    ("Logo", 0.29, 0.91, 393.69, 22.15, 102.90, 97.18, 81105.2),
    ("Tower", 0.03, 0.53, 1315.75, 16.90, 14.60, 52.84, 331171.6),
)
"""Published in the thesis (Tables 3.1-3.3): ViT-Score, SSIM, MSE, PSNR, BRISQUE original and generated, "FID"."""
THESIS_PRESET = "thesis"
SUMMARY = (("vit-topk", 2), ("ssim", 2), ("mse", 2), ("psnr-rgb", 2), ("brisque", 2), ("frechet-pixel", 0))
"""Columns of the thesis's summary, and their digits."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        name: file-safe name.
        title: caption.
        header: column names.
        rows: cells.
        note: what a reader must know.
        bold: cells (row, column) that are the best of their column.
        rules: rows above which a rule stands.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    bold: frozenset[tuple[int, int]] = frozenset()
    rules: frozenset[int] = frozenset()


def all_tables(model: Model) -> list[Table]:
    """Every table that the study has numbers for."""
    made = [equal_bytes(model, rows, index) for index, rows in enumerate(model.levels)]
    rates = bd_rates(model)
    return [*made, *([rates] if rates else []), *thesis_tables(model)]


def answer_table(model: Model) -> Table | None:
    """The one table that answers the study's question: codecs at equal bytes, or BD-rates; None without either."""
    return equal_bytes(model, first_level(model)) if model.levels else bd_rates(model)


def equal_bytes(model: Model, rows: Sequence[Row], level: int = 0) -> Table:
    """Codecs at one size, those that could not reach it below a rule and starred."""
    order = ranked(rows, model.primary)
    cells, bold = [], set()
    for place, row in enumerate(order):
        curve = model.curves[row.curve]
        line = [curve.label + ("" if row.reached else "*"), number_text(row.bytes, 0)]
        for index, column in enumerate(model.columns):
            key = column.info.key
            line.append(column.text(row.means[key].value) + ("†" if key in curve.dependent else ""))
            if row.curve in best(rows, column):
                bold.add((place, index + 2))
        cells.append((*line, seconds_text(row.encode_seconds)))
    fair = sum(row.reached for row in order)
    header = ("codec", "bytes", *(_head(c.info.short, c.info.unit, c.info.arrow) for c in model.columns), "encode")
    title = f"Means over {len(model.images)} images at equal bytes" if len(model.images) > 1 else "At equal bytes"
    rules = frozenset({fair} if 0 < fair < len(order) else ())
    return Table(
        f"equal-bytes-{level + 1}", title, header, tuple(cells), _equal_note(model, order), frozenset(bold), rules
    )


def _head(name: str, unit: str, arrow: str) -> str:
    return " ".join(part for part in (f"{name}, {unit}" if unit else name, arrow) if part)


def _equal_note(model: Model, rows: Sequence[Row]) -> str:
    note = []
    over = [row for row in rows if not row.reached]
    if over:
        said = ", ".join(
            f"{model.curves[row.curve].label} by {(row.bytes / row.asked - 1) * 100:.0f} %" for row in over
        )
        note.append(f"* Larger than asked for, as the codec cannot write files this small ({said}): not compared.")
    if any(model.curves[row.curve].dependent for row in rows):
        note.append("† Scored by a network, or a relative of it, that the codec was optimised against.")
    shared = [c for c in (model.curves[row.curve] for row in rows) if c.shared_bytes]
    if shared:
        said = ", ".join(f"{curve.label} {size_text(curve.shared_bytes)}" for curve in shared)
        note.append(f"Weights that every decoder must own: {said}.")
    if model.missing:
        note.append(f"Not in the means: {'; '.join(model.missing)}.")
    lost = {c.info.short for c in model.columns for row in rows if row.means[c.info.key].left_out}
    if lost:
        note.append(f"Means of {', '.join(sorted(lost))} leave out files without a finite value.")
    notes = list(dict.fromkeys(note for record in model.records for note in record.notes if _common(model, note)))
    note += [line[:1].upper() + line[1:].rstrip(".") + "." for line in notes[:4]]
    return " ".join(note)


def _common(model: Model, note: str) -> bool:
    """A note that several files have, so that it is about a codec and not about one size."""
    return sum(note in record.notes for record in model.records) > max(1, len(model.images) // 2)


def bd_rates(model: Model) -> Table | None:
    """BD-rates in every metric against one anchor, with intervals; None without two curves."""
    column = model.primary
    if column is None:
        return None
    anchor = anchor_of(model, column)
    if anchor is None:
        return None
    columns = [column for column in model.columns if column.info.direction]
    tables = [bd_table(model, column, anchor) for column in columns]
    rows, few = [], False
    for curve in sorted(
        tables[0], key=lambda c: math.inf if math.isnan(tables[0][c].percent) else tables[0][c].percent
    ):
        line = [model.curves[curve].label]
        for table in tables:
            cell = table[curve]
            text = percent_text(cell.percent)
            if math.isfinite(cell.low):
                text += f" ({cell.low:+.1f} … {cell.high:+.1f})".replace("-", "−")
            if math.isfinite(cell.percent) and cell.overlap < LITTLE_OVERLAP:
                few, text = True, text + "?"
            line.append(text)
        rows.append(tuple(line))
    note = "Mean change in bits at equal quality over the images, negative saves bits; in brackets 95 % intervals."
    if few:
        note += f" ? The curves share less than {LITTLE_OVERLAP:.0%} of their qualities."
    title = f"BD-rate against {model.curves[anchor].label}, {len(model.images)} images"
    return Table("bd-rate", title, ("codec", *(c.info.short for c in columns)), tuple(rows), note)


def main_records(model: Model) -> list[Record]:
    """Records of the codec that sets the size, one an image."""
    return [record for record in model.records if sets_the_size(record)]


def thesis_tables(model: Model) -> list[Table]:
    """The thesis's tables 3.1-3.3, where the study is the thesis's own comparison and has those metrics; else none."""
    if model.preset != THESIS_PRESET or not main_records(model):
        return []
    keys = {column.info.key for column in model.columns}
    made = []
    if "vit-topk" in keys:
        made.append(_vit_scores(main_records(model)))
    if "brisque" in keys:
        made.append(_brisque(main_records(model)))
    if keys & {key for key, _ in SUMMARY}:
        made.append(_summary(model, keys))
    return made


def _details(record: Record, key: str) -> dict[str, Any]:
    score = record.scores.get(key)
    return dict(score.details) if score else {}


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def p_text(value: float) -> str:
    """A p-value, with very small ones as a bound."""
    return "–" if math.isnan(value) else ("< 1e-6" if value < 1e-6 else f"{value:.2g}")


def _vit_scores(records: Sequence[Record]) -> Table:
    rows = []
    for record in records:
        found = _details(record, "vit-topk")
        if "chance" not in found:
            continue
        chance = f"{number_text(_float(found['chance']), 2)} ± {number_text(_float(found['chance_deviation']), 2)}"
        first, second = found["top1"]
        corrected, p = number_text(_float(found["adjusted"]), 2), p_text(_float(found["p_value"]))
        rows.append(
            (record.image, number_text(record.value("vit-topk"), 2), chance, corrected, p, str(first), str(second))
        )
    header = ("image", "ViT-Score", "chance", "corrected", "p", "top label, original", "top label, reconstruction")
    note = "p: probability that two random label lists share as many labels."
    k = next((_details(r, "vit-topk").get("k") for r in records if "vit-topk" in r.scores), 100)
    return Table(
        "vit-scores", f"ViT-Score (top-K label overlap), K = {k} (the thesis's Table 3.1)", header, tuple(rows), note
    )


def _brisque(records: Sequence[Record]) -> Table:
    names = ("original", "generated", "delta")
    rows = tuple(
        (r.image, *(number_text(_float(_details(r, "brisque").get(name)), 2) for name in names)) for r in records
    )
    title = "BRISQUE, lower is more natural (the thesis's Table 3.2)"
    return Table("brisque", title, ("image", "original", "reconstruction", "difference"), rows)


def _summary(model: Model, keys: set[str]) -> Table:
    columns = [(key, places) for key, places in SUMMARY if key in keys]
    rows = []
    for record in main_records(model):
        sections = record.details.get("sections")
        original = _float(record.details.get("original_bytes"))
        latent = _float(sections.get("latents")) if isinstance(sections, dict) else math.nan
        ratios = (number_text(original / record.bytes, 0), number_text(original / latent, 0) if latent else "–")
        values = (number_text(record.value(key), places) for key, places in columns)
        rows.append((record.image, number_text(record.bytes, 0), *ratios, *values))
    rule = len(rows)
    for name, vit, ssim, mse, psnr, _, generated, fid in THESIS:
        known = {
            "vit-topk": vit,
            "ssim": ssim,
            "mse": mse,
            "psnr-rgb": psnr,
            "brisque": generated,
            "frechet-pixel": fid,
        }
        rows.append(
            (f"{name} (thesis)", "1,540", "266", "–", *(number_text(known[k], places) for k, places in columns))
        )
    titles = {key: model.column(key).info for key, _ in columns}
    heads = tuple(_head(titles[key].short, titles[key].unit, "") for key, _ in columns)
    note = (
        "Rows marked (thesis) are published, on other images, with ViT-B/16: the sizes compare, the images do not."
        + (" The last column is what the thesis calls FID." if "frechet-pixel" in keys else "")
    )
    header = ("image", "bytes", "file : file", "file : latent", *heads)
    title = "Summary (the thesis's Table 3.3)"
    return Table("summary", title, header, tuple(rows), note, frozenset(), frozenset({rule}))


def to_markdown(table: Table) -> str:
    """A Markdown section."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    rule = "|" + "|".join(["---"] + ["---:"] * (len(table.header) - 1)) + "|"
    shown = [[f"**{c}**" if (i, j) in table.bold else c for j, c in enumerate(row)] for i, row in enumerate(table.rows)]
    body = [f"## {table.title}", "", line(table.header), rule, *(line(row) for row in shown), ""]
    note = table.note.replace("* Larger", "\\* Larger", 1)
    return "\n".join([*body, note, ""] if note else body)


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


def to_latex(table: Table) -> str:
    """A table environment for the booktabs package, its notes below it; `table*` spans two columns where it is wide."""

    def cell(row: int, column: int, text: str) -> str:
        return rf"\textbf{{{escape_latex(text)}}}" if (row, column) in table.bold else escape_latex(text)

    kind = "table*" if len(table.header) > 5 else "table"
    parts = [
        rf"\begin{{{kind}}}",
        r"\centering\small",
        rf"\caption{{{escape_latex(table.title)}}}",
        rf"\label{{tab:{table.name}}}",
        # Shrunk to the line where it is wider, else as it is.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}",
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
    """Comma-separated cells, the note in a last row of its own."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows(table.rows)
    if table.note:
        writer.writerow([f"# {table.note}"])
    return text.getvalue()
