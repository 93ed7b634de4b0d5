"""Figures for papers. Each function takes a model or arrays and returns a matplotlib figure; none loads or saves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from vitiq.report.choice import first_columns
from vitiq.report.comparisons import pareto
from vitiq.report.model import Column, Model, Row, first_rows
from vitiq.report.published import mean_line
from vitiq.report.style import CodecStyle
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#94a3b8",
    "axes.labelcolor": "#334155",
    "axes.titlesize": 8.5,
    "axes.titlecolor": "#0f172a",
    "xtick.color": "#475569",
    "ytick.color": "#475569",
    "svg.hashsalt": "vitiq",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}
COLUMN = 3.4
"""Inches of one column of a two-column paper; twice and a gap for both."""
WIDTHS = {1: COLUMN, 2: 2 * COLUMN + 0.3}
MARKERS = {
    "circle": "o",
    "square": "s",
    "triangle": "^",
    "down": "v",
    "diamond": "D",
    "star": "*",
    "plus": "+",
    "cross": "x",
}


def styled() -> AbstractContextManager[None]:
    """The style of what is drawn and saved inside; what a notebook has set for its own figures stays as it is."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import

    settings: dict[Any, Any] = STYLE
    return mpl.rc_context(settings)


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure as NewFigure  # noqa: PLC0415 - slow to import

    figure = NewFigure(figsize=(width, height), dpi=120, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _show(axes: Axes, image: ImageU8, title: str = "") -> None:
    axes.imshow(image, interpolation="nearest" if image.shape[0] < 64 else "antialiased")
    axes.set_axis_off()
    axes.set_title(title)


def inputs(images: Mapping[str, ImageU8]) -> Figure:
    """The originals in a row."""
    figure, axes = _figure(1, len(images), 2.6 * len(images), 2.9)
    for ax, (name, image) in zip(axes[0], images.items(), strict=True):
        height, width, _ = image.shape
        _show(ax, image, f"{_fitting(name)}\n{width}×{height}")
    return figure


def pairs(originals: Mapping[str, ImageU8], rebuilt: Mapping[str, ImageU8], captions: Mapping[str, str]) -> Figure:
    """Originals above reconstructions."""
    figure, axes = _figure(2, len(originals), 2.6 * len(originals), 5.6)
    for column, (name, image) in enumerate(originals.items()):
        _show(axes[0][column], image, _fitting(name))
        _show(axes[1][column], rebuilt[name], captions[name])
    return figure


def strip(previews: Sequence[tuple[int, ImageU8]]) -> Figure:
    """The search's previews, first to last, in rows of eight."""
    columns = min(8, len(previews))
    rows = math.ceil(len(previews) / columns)
    figure, axes = _figure(rows, columns, 1.9 * columns, 2.2 * rows)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (iteration, image) in zip(axes.flat, previews, strict=False):
        _show(ax, image, f"iteration {iteration}")
    return figure


def latents(layers: Sequence[np.ndarray]) -> Figure:
    """The latent as an image: every channel of every layer, blue below zero, red above."""
    heights = [max(1, math.ceil(len(layer) / 8)) for layer in layers]
    figure, axes = _figure(len(layers), 1, 6.4, 0.5 + 0.85 * sum(heights))
    for ax, layer, rows in zip(axes[:, 0], layers, heights, strict=True):
        channels, height, width = layer.shape
        if height == width == 1:
            side = math.ceil(math.sqrt(channels * 2))
            flat = np.full(side * math.ceil(channels / side), np.nan)
            flat[:channels] = layer.ravel()
            sheet = flat.reshape(-1, side)
        else:
            sheet = np.full((rows * (height + 1), min(8, channels) * (width + 1)), np.nan)
            for index, values in enumerate(layer):
                top, left = index // 8 * (height + 1), index % 8 * (width + 1)
                sheet[top : top + height, left : left + width] = values
        limit = max(1e-6, float(np.nanpercentile(np.abs(sheet), 99.5)))
        ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        ax.set_title(f"{channels} × {height} × {width}: {int(np.count_nonzero(layer))} of {layer.size} not zero")
        ax.set_axis_off()
    return figure


def loss_curve(losses: Sequence[float]) -> Figure:
    """Loss of the search against iterations."""
    figure, axes = _figure(1, 1, 4.6, 2.4)
    ax = axes[0][0]
    ax.plot(np.arange(1, len(losses) + 1), losses, color="#0b62a8", linewidth=1.3)
    ax.set_yscale("log")
    ax.set_xlabel("iteration")
    ax.set_ylabel("loss")
    return figure


def _drawn(style: CodecStyle, *, line: bool) -> dict[str, Any]:
    """Settings of a line or of points, as on the page."""
    size = 6.5 if style.marker == "star" else 4.2
    found: dict[str, Any] = {
        "color": style.light,
        "marker": MARKERS[style.marker],
        "markersize": size,
        "markeredgewidth": 1,
    }
    found["markerfacecolor"] = "white" if style.hollow else style.light
    found["linestyle"] = ((0, style.dash) if style.dash else "-") if line else "none"
    return found | {"linewidth": 1.2}


def rate_distortion(model: Model, column: Column) -> Figure:
    """Mean curves of a metric over bits per pixel, with bands where there are enough images.

    Codecs that could not reach their size are open marks with an arrow, and no line leads to them. Published curves are
    dashed and grey.
    """
    figure, axes = _figure(1, 1, WIDTHS[1], 2.6)
    ax = axes[0][0]
    key = column.info.key
    front = pareto(model.points, column)
    for index, curve in enumerate(model.curves):
        own = [
            (n, p.row) for n, p in enumerate(model.points) if p.curve == index and math.isfinite(p.row.means[key].value)
        ]
        own.sort(key=lambda found: found[1].means[key].bpp)
        fair = [row for _, row in own if row.reached]
        drawn = _drawn(curve.style, line=True)
        if (line := mean_line(model, index, column)) is not None:
            ax.plot(line.rate, line.value, label=_wrapped(curve.label), **drawn)
        if fair:
            ax.plot(
                [r.means[key].bpp for r in fair],
                [r.means[key].value for r in fair],
                label=_wrapped(curve.label),
                **drawn,
            )
        banded = [row for row in fair if math.isfinite(row.means[key].low)]
        if len(banded) > 1:
            ends = ([r.means[key].low for r in banded], [r.means[key].high for r in banded])
            ax.fill_between([r.means[key].bpp for r in banded], *ends, color=curve.style.light, alpha=0.13, linewidth=0)
        for row in (row for _, row in own if not row.reached):
            label = None if fair else f"{_wrapped(curve.label)} (larger than requested)"
            open_mark = drawn | {"linestyle": "none", "markerfacecolor": "none"}
            ax.plot([row.means[key].bpp], [row.means[key].value], label=label, **open_mark)
            place = (row.means[key].bpp, row.means[key].value)
            ax.annotate("▲", place, (4, 2), textcoords="offset points", fontsize=5, color=curve.style.light)
        for row in (row for n, row in own if n in front):
            ax.plot([row.means[key].bpp], [row.means[key].value], "o", ms=9, mfc="none", mec=curve.style.light, mew=0.6)
    _rate_axis(ax)
    ax.set_xlabel("bits per pixel")
    unit = f", {column.info.unit}" if column.info.unit else ""
    ax.set_ylabel("\n".join(wrap(f"{column.info.short}{unit} {_direction(column)}", 38)))
    _legend_below(figure, ax)
    return figure


LINE = 0.115
"""Inches of a line of a legend."""
ACROSS, MARK = 66, 9
"""Characters of a legend that fit a figure one column wide, and those that a line's mark takes."""


def _legend_below(figure: Figure, ax: Axes) -> None:
    """The legend below the axes, where no curve is; the figure grows by it, so that the axes keep their size."""
    handles, labels = ax.get_legend_handles_labels()
    if not labels:
        return
    longest = max(len(line) for label in labels for line in label.split("\n"))
    across = min(len(labels), max(1, ACROSS // (longest + MARK)))
    down = math.ceil(len(labels) / across)
    # The legend fills a column before the next one; the tallest is as high as it gets.
    lines = [label.count("\n") + 1 for label in labels]
    height = max(sum(lines[start : start + down]) for start in range(0, len(lines), down))
    width, before = figure.get_size_inches()
    figure.set_size_inches(width, before + LINE * height + 0.06 * down + 0.1)
    figure.legend(handles, labels, loc="outside lower center", ncols=across, borderaxespad=0.2, columnspacing=1.2)


def _rate_axis(ax: Axes) -> None:
    """Bits per pixel as logarithms, with as many numbers as fit."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: PLC0415 - slow to import

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    wide = high / low > 30
    ax.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if wide else (1, 1.5, 2, 3, 5, 7)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


LONGEST = 28
"""Characters of a line of a name in a figure: a longer one would leave too little for the axes."""
LINES = 4
"""Lines of a codec's label; of a longer one the middle is cut."""


def _fitting(name: str) -> str:
    """The name of an image, cut where it is long."""
    return _plain(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


def _plain(text: str) -> str:
    """Text of which matplotlib takes no part for a formula."""
    return text.replace("$", r"\$")


def _wrapped(label: str) -> str:
    """The label of a codec in lines, whole: two settings of one codec may differ in its last word alone."""
    lines = wrap(_plain(label), LONGEST, break_on_hyphens=False)
    return "\n".join(lines if len(lines) <= LINES else [*lines[: LINES - 2], "…", lines[-1]])


def _direction(column: Column) -> str:
    return f"({column.info.direction_text})" if column.info.direction else ""


def equal_bytes(model: Model, rows: Sequence[Row], columns: int = 2) -> Figure:
    """Mean of each metric of the first screen, a codec at equal bytes a mark, single images as ticks.

    Codecs that could not reach the size stand apart, under a line, with open marks.
    """
    shown = [c for c in first_columns(model) if any(math.isfinite(row.means[c.info.key].value) for row in rows)]
    across = min(4 if columns == 2 else 2, len(shown))
    down = math.ceil(len(shown) / across)
    order = first_rows(model, rows)
    labels = [_wrapped(model.curves[row.curve].label) + ("" if row.reached else " ▲") for row in order]
    lines = max(label.count("\n") + 1 for label in labels)
    figure, axes = _figure(down, across, WIDTHS[columns], down * (0.55 + (0.02 + 0.13 * lines) * len(rows)))
    fair = sum(row.reached for row in order)
    for place, ax in enumerate(axes.flat):
        if place >= len(shown):
            ax.set_axis_off()
            continue
        column = shown[place]
        for at, row in enumerate(order):
            _dots(ax, model, column, row, at)
        if 0 < fair < len(order):
            ax.axhline(fair - 0.5, color="#94a3b8", linewidth=0.8)
        ax.set_yticks(range(len(order)), labels if place % across == 0 else [""] * len(order))
        ax.set_ylim(len(order) - 0.5, -0.5)
        ax.set_title(f"{column.info.short}{', ' + column.info.unit if column.info.unit else ''} {column.info.arrow}")
    return figure


def _dots(ax: Axes, model: Model, column: Column, row: Row, at: int) -> None:
    key, curve = column.info.key, model.curves[row.curve]
    own = [
        record.value(key)
        for index, record in zip(model.curve_of, model.records, strict=True)
        if index == row.curve and record.bytes in row.sizes and math.isfinite(record.value(key))
    ]
    ax.plot(own, [at] * len(own), "|", color="#64748b", markersize=4, markeredgewidth=0.7)
    drawn = _drawn(curve.style, line=False) | ({} if row.reached else {"markerfacecolor": "none"})
    ax.plot([row.means[key].value], [at], **drawn)


def image_page(original: ImageU8, others: Sequence[tuple[str, ImageU8]], metrics: Sequence[tuple[str, str]]) -> Figure:
    """A page of one image: original, reconstructions with captions, and the first one's metrics beside them."""
    images = [("original", original), *others]
    across = min(4, len(images))
    down = math.ceil(len(images) / across)
    height, width, _ = original.shape
    each = WIDTHS[2] / across
    figure, axes = _figure(
        down + 1, across, WIDTHS[2], down * (each * height / width + 0.35) + 0.16 * len(metrics) / 2 + 0.3
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, image) in zip(axes[:-1].flat, images, strict=False):
        _show(ax, image, title)
    for n, (name, value) in enumerate(metrics):
        ax = axes[-1][n % across]
        ax.text(0.02, 1 - 0.3 * (n // across), f"{name}  {value}", transform=ax.transAxes, fontsize=7, va="top")
    return figure
