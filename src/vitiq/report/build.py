"""Build the report of a run from its folder: figures, table.md, table.tex, report.html."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitiq.errors import InputError
from vitiq.evaluation.legacy import load_run
from vitiq.image.io import read_image, write_bytes
from vitiq.report import figures, tables
from vitiq.report.html import ImagePage, Shown, render
from vitiq.report.maps import over_image
from vitiq.types import ImageU8, Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure


RATE_DISTORTION = (
    ("psnr", "psnr-against-bytes", "psnr-rgb", "PSNR, dB"),
    ("vit", "vit-score-against-bytes", "vit-topk", "ViT-Score"),
)
"""Charts of a metric against bytes: name on the page, file, metric, label."""


def build_report(out: Path) -> Path:
    """Write every figure, table and the page; returns the path of report.html.

    Raises:
        InputError: the folder holds no finished run.
    """
    run, records, sets = load_run(out)
    if not tables.main_records(records):
        raise InputError(f"{out}: no finished task in this run; run `vitiq run … -o {out}` again to go on")
    made = tables.all_tables(records, run.get("not_made", ()))
    write_bytes(out / "table.md", "\n".join(tables.to_markdown(table) for table in made).encode())
    write_bytes(out / "table.tex", "\n".join(tables.to_latex(table) for table in made).encode())
    charts = _charts(out, run, records)
    pages = [_page(out, run, record, records) for record in tables.main_records(records)]
    page = render(run, records, sets, made, charts, pages)
    target = out / "report.html"
    write_bytes(target, page.encode())
    return target


def summary_table(out: Path) -> str:
    """The comparison at equal bytes as Markdown, for the terminal."""
    run, records, _ = load_run(out)
    return tables.to_markdown(tables.equal_bytes(records, run.get("not_made", ())))


def _charts(out: Path, run: dict[str, Any], records: list[Record]) -> dict[str, str]:
    """Figures of the whole run, saved as PNG and SVG; returns the SVG text of each chart that has something to show."""
    main = tables.main_records(records)
    originals = {r.image: read_image(out / run["originals"][r.image]) for r in main}
    rebuilt = {r.image: read_image(out / str(r.details["reconstruction"])) for r in main}
    captions = {
        r.image: f"{r.bytes} bytes, ViT-Score {tables.text(r.scores.get('vit-topk', float('nan')))}" for r in main
    }
    chance = tables.score_details(main[0], "vit-topk").get("chance")
    compared = tables.compared(records)
    _save(out, "inputs", figures.inputs(originals))
    _save(out, "inputs-above-reconstructions", figures.pairs(originals, rebuilt, captions))
    charts = {}
    if figures.has_values(compared, [key for key, *_ in figures.BARS]):
        charts["bars"] = _save(out, "metrics-at-equal-bytes", figures.bars(compared, chance))
    for name, file, key, label in RATE_DISTORTION:
        if figures.has_values(records, [key]):
            charts[name] = _save(out, file, figures.rate_distortion(records, key, label))
    return charts


def _page(out: Path, run: dict[str, Any], record: Record, records: list[Record]) -> ImagePage:
    """What the page of one image shows."""
    folder = Path(run["originals"][record.image]).relative_to("originals").with_suffix("").as_posix()
    others = [r for r in tables.compared(records) if r.image == record.image]
    shown = [Shown(r, _data_uri(out / str(r.details["reconstruction"]))) for r in others]
    charts: dict[str, str] = {}
    if "trace" in record.details:
        trace = json.loads((out / str(record.details["trace"])).read_text(encoding="utf-8"))
        layers = [np.array(layer, dtype=np.float32) for layer in trace["latents"]]
        previews = [(int(i), read_image(out / name)) for i, name in trace["previews"]]
        if layers:
            charts["latent"] = _save(out, f"{folder}/latent", figures.latents(layers))
        if previews:
            _save(out, f"{folder}/previews", figures.strip(previews))
        charts["loss"] = _save(out, f"{folder}/loss", figures.loss_curve(trace["loss"]))
        strip = [(i, _data_uri(out / name, shrink=192)) for i, name in trace["previews"]]
    else:
        strip = []
    image = read_image(out / run["originals"][record.image])
    maps = [Shown(r, _map(out, folder, image, r)) for r in others if "map" in r.details]
    original = _data_uri(out / run["originals"][record.image])
    return ImagePage(record, original, shown, tables.shared_labels(record), charts, strip, maps)


def _map(out: Path, folder: str, original: ImageU8, record: Record) -> str:
    """Draw a reconstruction's map of meaning lost, save it, and return it as a data URI."""
    with np.load(out / str(record.details["map"]), allow_pickle=False) as found:
        loss, attention = found["loss"].astype(np.float32), found["attention"]
    rebuilt = read_image(out / str(record.details["reconstruction"]))
    figure = over_image(original, rebuilt, loss, attention, f"{record.codec}, {record.bytes} bytes")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "vitiq"})
    target = out / "figures" / folder / f"map-{record.codec}.png"
    write_bytes(target, buffer.getvalue())
    return _data_uri(target)


def _save(out: Path, name: str, figure: Figure) -> str:
    """Write a figure as PNG and SVG under OUT/figures; returns the SVG."""
    for kind in ("png", "svg"):
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": "vitiq"}
        figure.savefig(buffer, format=kind, metadata=metadata)
        write_bytes(out / "figures" / f"{name}.{kind}", buffer.getvalue())
    text = buffer.getvalue().decode()
    return text[text.index("<svg") :]


def _data_uri(path: Path, shrink: int | None = None) -> str:
    """A PNG as a data URI; with `shrink`, made small (for strips, not for judging)."""
    data = path.read_bytes()
    if shrink is not None:
        from PIL import Image  # noqa: PLC0415 - only here

        small = Image.fromarray(read_image(path))
        small.thumbnail((shrink, shrink))
        buffer = io.BytesIO()
        small.save(buffer, "PNG")
        data = buffer.getvalue()
    return "data:image/png;base64," + base64.b64encode(data).decode()
