"""Tables of a run as rows of text, and rows as Markdown and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from vitiq.report.judges import dependent_scores
from vitiq.types import Record

THESIS = (
    ("Bevo", 0.14, 0.26, 3479.34, 12.68, 32.92, 39.55, 1241999.9),
    ("Kliment", 0.54, 0.56, 1759.28, 15.64, -8.36, 44.36, 549089.5),
    ("Logo", 0.29, 0.91, 393.69, 22.15, 102.90, 97.18, 81105.2),
    ("Tower", 0.03, 0.53, 1315.75, 16.90, 14.60, 52.84, 331171.6),
)
"""Published in the thesis (Tables 3.1-3.3): ViT-Score, SSIM, MSE, PSNR, BRISQUE original and generated, "FID"."""

SHOWN = {
    "vit-topk": ("ViT-Score", 2),
    "vit-topk-adj": ("chance-corrected", 2),
    "psnr-rgb": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "ms-ssim": ("MS-SSIM", 3),
    "brisque": ("BRISQUE", 1),
}
"""Columns of the comparison at equal bytes: label and digits."""
ELSEWHERE = ("mse", "frechet-pixel")
"""Default metrics that stand in tables of their own where all of `SHOWN` are asked for."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        name: file-safe name.
        title: caption.
        header: column names.
        rows: cells.
        note: what a reader must know.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def text(value: float, digits: int = 2) -> str:
    """A number for a table; a dash where it is undefined."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.{digits}f}"


def p_text(value: float) -> str:
    """A p-value, with very small ones as a bound."""
    return "< 1e-6" if value < 1e-6 else f"{value:.2g}"


def score_details(record: Record, key: str) -> dict[str, Any]:
    """Details of one score of a record."""
    scores: Any = record.details.get("scores", {})
    found: dict[str, Any] = scores.get(key, {})
    return found


def _detail(record: Record, key: str, name: str) -> float:
    value = score_details(record, key).get(name)
    return float("nan") if value is None else float(value)


def compared(records: Sequence[Record]) -> list[Record]:
    """The main codec's records and the comparators' at equal bytes."""
    return [r for r in records if r.details["group"] != "ladder"]


def main_records(records: Sequence[Record]) -> list[Record]:
    """The main codec's records."""
    return [r for r in records if r.details["group"] == "main"]


def _columns(scored: Set[str]) -> dict[str, tuple[str, int]]:
    """What to show of the metrics that were asked for: label and digits by key."""
    others = sorted(scored - SHOWN.keys())
    if SHOWN.keys() <= scored:
        others = [key for key in others if key not in ELSEWHERE]
    return {key: shown for key, shown in SHOWN.items() if key in scored} | {key: (key, 3) for key in others}


def equal_bytes(records: Sequence[Record], not_made: Sequence[str] = ()) -> Table:
    """Mean metrics a codec at equal bytes; `not_made` says which files are missing in the means, and why."""
    chosen = compared(records)
    columns = _columns({key for r in chosen for key in r.scores})
    rows = []
    for codec in dict.fromkeys(r.codec for r in chosen):
        own = [r for r in chosen if r.codec == codec]
        over = sum(not bool(r.details.get("reachable", True)) for r in own)

        def mean(key: str, own: list[Record] = own) -> float:
            values = [v for r in own if math.isfinite(v := r.scores.get(key, math.nan))]
            return sum(values) / len(values) if values else math.nan

        title = str(own[0].details["title"]) + ("*" if over else "") + ("†" if any(map(dependent_scores, own)) else "")
        size = sum(r.bytes for r in own) / len(own)
        rows.append((title, f"{size:.0f}", *(text(mean(key), digits) for key, (_, digits) in columns.items())))
    header = ("codec", "bytes", *(label for label, _ in columns.values()))
    note = "Means over the images. * the smallest file this codec can write is larger than asked for some images."
    if any(map(dependent_scores, chosen)):
        note += " † tuned on the network that gives its ViT-Score, or on a relative of it: not independent."
    if not_made:
        note += " Not in the means: " + "; ".join(not_made) + "."
    return Table("equal-bytes", "At equal bytes", header, tuple(rows), note)


def vit_scores(records: Sequence[Record]) -> Table:
    """Table 3.1: ViT-Scores of the main codec, with what chance would give."""
    rows = []
    for r in main_records(records):
        details = score_details(r, "vit-topk")
        if "chance" not in details:
            continue
        first, second = details["top1"]
        rows.append(
            (
                r.image,
                text(r.scores["vit-topk"]),
                f"{text(_detail(r, 'vit-topk', 'chance'))} ± {text(_detail(r, 'vit-topk', 'chance_deviation'))}",
                text(_detail(r, "vit-topk", "adjusted")),
                p_text(_detail(r, "vit-topk", "p_value")),
                str(first),
                str(second),
            )
        )
    header = ("image", "ViT-Score", "chance", "corrected", "p", "top label, original", "top label, rebuilt")
    note = "p: probability that two random label lists share as many labels."
    return Table("vit-scores", "ViT-Score (top-K label overlap), K = 100", header, tuple(rows), note)


def brisque(records: Sequence[Record]) -> Table:
    """Table 3.2: BRISQUE of original and reconstruction."""
    rows = tuple(
        (r.image, *(text(_detail(r, "brisque", name)) for name in ("original", "generated", "delta")))
        for r in main_records(records)
    )
    header = ("image", "original", "generated", "delta")
    return Table("brisque", "BRISQUE (lower is more natural)", header, rows)


def summary(records: Sequence[Record]) -> Table:
    """Table 3.3: everything about the main codec, above the published numbers."""
    rows = []
    for r in main_records(records):
        sections: Any = r.details["sections"]
        original = int(str(r.details["original_bytes"]))
        latent = int(sections.get("latents", r.bytes)) or r.bytes
        rows.append(
            (
                r.image,
                str(r.bytes),
                f"{original / r.bytes:.0f}",
                f"{original / latent:.0f}",
                text(r.scores.get("vit-topk", math.nan)),
                text(r.scores.get("ssim", math.nan)),
                text(r.scores.get("mse", math.nan)),
                text(r.scores.get("psnr-rgb", math.nan)),
                text(r.scores.get("brisque", math.nan)),
                text(r.scores.get("frechet-pixel", math.nan), 0),
            )
        )
    for name, vit, ssim, mse, psnr, _, generated, fid in THESIS:
        numbers = (text(vit), text(ssim), text(mse), text(psnr), text(generated), text(fid, 0))
        rows.append((f"{name} (thesis)", "1540", "266", "–", *numbers))
    header = ("image", "bytes", "file : file", "file : latent", "ViT-Score", "SSIM", "MSE", "PSNR, dB", "BRISQUE")
    note = (
        "Rows marked (thesis) are published, on other images, with ViT-B/16: the sizes compare, the images do not. "
        "The last column is what the thesis calls FID."
    )
    return Table("summary", "Summary", (*header, "frechet-pixel"), tuple(rows), note)


def all_tables(records: Sequence[Record], not_made: Sequence[str] = ()) -> list[Table]:
    """Every table of a run."""
    return [equal_bytes(records, not_made), vit_scores(records), brisque(records), summary(records)]


def shared_labels(record: Record, top: int = 10) -> Table:
    """The most probable shared labels of an image with both probabilities."""
    rows = score_details(record, "vit-topk").get("shared_labels", [])
    cells = tuple(
        (str(r["label"]), *(f"{float(r[name]):.4f}" for name in ("original", "reconstruction", "difference")))
        for r in rows[:top]
    )
    title = f"Labels shared by original and {record.codec}: {len(rows)}, the {len(cells)} most probable"
    return Table("labels", title, ("label", "original", "reconstruction", "difference"), cells)


def to_markdown(table: Table) -> str:
    """A Markdown section."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "|" + "|".join(["---"] + ["---:"] * (len(table.header) - 1)) + "|"
    body = [f"## {table.title}", "", line(table.header), rule, *(line(row) for row in table.rows), ""]
    return "\n".join([*body, table.note, ""] if table.note else body)


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
    "∞": r"$\infty$",
    "×": r"$\times$",
}


def escape_latex(value: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(ESCAPES.get(character, character) for character in value)


def to_latex(table: Table) -> str:
    """A table environment for the booktabs package."""
    columns = "l" + "r" * (len(table.header) - 1)

    def line(cells: Sequence[str]) -> str:
        return " & ".join(escape_latex(cell) for cell in cells) + r" \\"

    parts = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(table.title)}}}",
        rf"\label{{tab:{table.name}}}",
    ]
    parts += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", line(table.header), r"\midrule"]
    parts += [line(row) for row in table.rows] + [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(parts)
