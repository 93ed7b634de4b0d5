"""A study for a paper: tables as Markdown, LaTeX and CSV, figures as vector PDF, and a document that shows them."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from vitiq.errors import InputError
from vitiq.evaluation.record import Record
from vitiq.image.io import read_image
from vitiq.report import figures
from vitiq.report.answer import answer, first_level
from vitiq.report.build import read_model
from vitiq.report.choice import first_columns
from vitiq.report.exported import Exported, write_export
from vitiq.report.left_out import images_text
from vitiq.report.maps import over_image
from vitiq.report.metric_info import number_text
from vitiq.report.model import Model
from vitiq.report.published import mean_line, set_of
from vitiq.report.source import Files, Study, previews, read_maps, read_trace
from vitiq.report.tables import THESIS_PRESET, all_tables, main_records
from vitiq.report.written import escape_latex, notes, to_csv, to_latex, to_markdown
from vitiq.text import escape_markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["md", "tex", "pdf", "csv"]
FORMATS: tuple[Format, ...] = ("md", "tex", "pdf", "csv")
FOLDER = "paper"
PREVIEWS = 16
"""Images of a search's strip at most."""


def export(out: Path, kind: Format) -> Exported:
    """Write a study for a paper under OUT/paper; removes what earlier calls wrote there and no longer fits the study.

    Args:
        out: folder of a study.
        kind: `md` one file of tables, `csv` a file of numbers a table, and its notes in one of text, `pdf` the figures,
            `tex` tables, figures and a document.

    Raises:
        InputError: the folder holds no study, there is no such format, or a file of a name that is written stands
            there which vitiq did not write.
    """
    if kind not in FORMATS:
        raise InputError(f"format {kind!r} given, expected one of {', '.join(FORMATS)}")
    study, model = read_model(out)
    folder = out / FOLDER
    tables = all_tables(model)
    made: dict[str, bytes] = {}
    state = _markdown(model, [to_markdown(table) for table in tables]).encode()
    if kind == "md":
        made["tables.md"] = state
    elif kind == "csv":
        made |= {f"{table.name}.csv": to_csv(table).encode() for table in tables}
        made["notes.txt"] = notes(tables).encode()
    else:
        drawn = []
        for name, caption, columns, make in _figures(study, model):
            with figures.styled():
                figure = make()
                made[f"{name}.pdf"] = _pdf(figure)
            drawn.append((name, caption, columns, min(1.0, figure.get_figwidth() / figures.WIDTHS[columns])))
        if kind == "tex":
            made |= {f"{table.name}.tex": to_latex(table).encode() for table in tables}
            names = [table.name for table in tables]
            made["paper.tex"] = document(model, names, drawn).encode()
    return write_export(folder, kind, state, made)


def _markdown(model: Model, tables: list[str]) -> str:
    words = answer(model)
    headline, price, compared = map(escape_markdown, (words.headline, words.price, words.compared))
    limits = "\n".join(f"- {escape_markdown(line)}" for line in words.limits)
    head = f"# {headline}\n\n{price}\n\n{compared}\n\nWhat this does not show:\n\n{limits}\n"
    return "\n".join([head, *tables])


def document(model: Model, tables: list[str], drawn: list[tuple[str, str, int, float]]) -> str:
    """A two-column LaTeX document that shows every table and figure; packages of any TeX installation only.

    Args:
        model: gives the words.
        tables: names of files.
        drawn: figures, each its name, caption, width in columns, and the share of that width that it fills.
    """
    words = answer(model)
    lines = [
        r"\documentclass[10pt,twocolumn]{article}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage{array,booktabs,graphicx}",
        r"\usepackage[margin=18mm]{geometry}",
        r"\setcounter{topnumber}{4}\setcounter{dbltopnumber}{4}\setcounter{totalnumber}{6}",
        r"\renewcommand{\topfraction}{.95}\renewcommand{\dbltopfraction}{.95}\renewcommand{\textfraction}{.05}",
        r"\begin{document}",
        rf"\section*{{{escape_latex(words.headline)}}}",
        escape_latex(words.price),
        "",
        escape_latex(words.compared),
        *(
            [r"\begin{itemize}", *(rf"\item {escape_latex(line)}" for line in words.limits), r"\end{itemize}"]
            if words.limits
            else []
        ),
        *(rf"\input{{{name}.tex}}" for name in tables),
    ]
    for name, caption, columns, share in drawn:
        kind = "figure*" if columns == 2 else "figure"
        lines += [
            rf"\begin{{{kind}}}\centering",
            rf"\includegraphics[width={share:.2f}\linewidth,height=.8\textheight,keepaspectratio]{{{name}.pdf}}",
            rf"\caption{{{escape_latex(caption)}}}",
            rf"\label{{fig:{name}}}",
            rf"\end{{{kind}}}",
        ]
        if len(lines) % 7 == 0:  # many floats in a row overflow TeX's list of them
            lines.append(r"\clearpage")
    return "\n".join([*lines, r"\end{document}", ""])


def _pdf(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf", metadata={"CreationDate": None, "Creator": "vitiq"})
    return buffer.getvalue()


Made = tuple[str, str, int, Callable[[], "Figure"]]
"""Name, caption, width in columns, and how it is drawn."""


def _figures(study: Study, model: Model) -> Iterator[Made]:
    """Curves of every metric, the comparison at equal bytes, and the thesis's figures for its preset."""
    if model.levels:
        rows = first_level(model)
        caption = (
            "Means at equal bytes (marks) and single images (ticks). Below the line and open: larger than requested."
        )
        yield "equal-bytes", caption, 2, lambda: figures.equal_bytes(model, rows)
    for column in model.columns:
        if any(math.isfinite(point.row.means[column.info.key].value) for point in model.points):
            over = images_text(model, column)
            caption = f"{column.info.title} over bits per pixel, means over {over}. Ringed: Pareto front."
            drawn = [curve for n, curve in enumerate(model.curves) if mean_line(model, n, column) is not None]
            if drawn:
                other = any(set_of(curve) is not None for curve in drawn)
                caption += (
                    f" Dashed and grey: published, outside the front{'; of other images, as far as is known' * other}."
                )
            yield (
                f"rd-{column.info.key.replace('@', '-at-').replace('%', 'pct')}",
                caption,
                1,
                partial(figures.rate_distortion, model, column),
            )
    if model.preset == THESIS_PRESET and main_records(model):
        yield from _thesis(study, model)


def _thesis(study: Study, model: Model) -> Iterator[Made]:
    """Figures 3.1-3.8: inputs, latents, previews, inputs above reconstructions, a page an image, maps, losses."""
    where = {(record.key, record.image): found for record, found in study.records}
    main = [(record, where[record.key, record.image]) for record in main_records(model)]
    main = [(record, found) for record, found in main if found.original and found.reconstruction]
    yield (
        "inputs",
        "The images that were compressed.",
        2,
        lambda: figures.inputs({r.image: _read(f.original) for r, f in main}),
    )
    yield (
        "inputs-above-reconstructions",
        "Originals above their reconstructions.",
        2,
        lambda: figures.pairs(
            {r.image: _read(f.original) for r, f in main},
            {r.image: _read(f.reconstruction) for r, f in main},
            {r.image: f"{number_text(r.bytes, 0)} bytes" for r, _ in main},
        ),
    )
    for index, (record, found) in enumerate(main, 1):
        yield from _of_image(model, record, found, index, where)


def _of_image(
    model: Model, record: Record, found: Files, index: int, where: dict[tuple[str, str], Files]
) -> Iterator[Made]:
    if found.trace and found.trace.exists():
        trace = read_trace(found.trace)
        latents = [np.array(layer, dtype=np.float32) for layer in trace.get("latents", ())]
        if latents:
            yield f"latent-{index}", f"The latent of {record.image} as an image.", 1, lambda: figures.latents(latents)
        shown = previews(found.trace, trace)
        shown = shown[:: max(1, math.ceil(len(shown) / PREVIEWS))]
        if shown:
            caption = f"The search for {record.image}."
            yield f"previews-{index}", caption, 2, lambda: figures.strip([(n, _read(path)) for n, path in shown])
        if len(trace.get("loss", ())) > 1:
            yield (
                f"loss-{index}",
                f"Loss of the search for {record.image}.",
                1,
                lambda: figures.loss_curve(trace["loss"]),
            )
    others = [
        (r, where[r.key, r.image])
        for r in model.records
        if r.image == record.image and r.details.get("group") != "ladder"
    ]
    captions = [
        (f"{r.label}{'' if r.reached else ' ▲'}\n{number_text(r.bytes, 0)} bytes", f.reconstruction) for r, f in others
    ]
    values = [(c.info.short, c.text(record.value(c.info.key))) for c in first_columns(model)]
    yield (
        f"image-{index}",
        f"{record.image} from every codec; the values are of {record.label}.",
        2,
        lambda: figures.image_page(_read(found.original), [(t, _read(p)) for t, p in captions if p], values),
    )
    if found.map and found.map.exists():
        caption = f"Semantic error map and attention of {record.image}."
        yield f"map-{index}", caption, 2, lambda: _map(record, found)


def _map(record: Record, found: Files) -> Figure:
    if found.map is None:
        raise InputError(f"{record.image}: no map given, a file of maps expected")
    loss, attention = read_maps(found.map)
    return over_image(_read(found.original), _read(found.reconstruction), loss, attention, f"{record.bytes} bytes")


def _read(path: Path | None) -> figures.ImageU8:
    if path is None:
        raise InputError("no file of this image given, an original and a reconstruction expected")
    return read_image(path)
