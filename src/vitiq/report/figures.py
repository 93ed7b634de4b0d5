"""Figures of a run. Each function takes records or arrays and returns a matplotlib figure; none loads or saves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vitiq.types import ImageU8, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "inversion": "#0f766e",
    "inversion-vector": "#0e7490",
    "generative": "#15803d",
    "generative-mse": "#65a30d",
    "jpeg": "#c2410c",
    "jpeg2000": "#a16207",
    "webp": "#6d28d9",
    "avif": "#1d4ed8",
    "jxl": "#be185d",
    "jpeg-shrunk": "#fb923c",
    "webp-shrunk": "#a78bfa",
    "avif-shrunk": "#60a5fa",
}
OTHER = "#475569"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#94a3b8",
    "axes.labelcolor": "#334155",
    "axes.titlesize": 10,
    "axes.titlecolor": "#0f172a",
    "xtick.color": "#475569",
    "ytick.color": "#475569",
    "svg.hashsalt": "vitiq",
    "svg.fonttype": "path",
}


def colour(codec: str) -> str:
    """Colour of a codec, the same in every figure."""
    return COLOURS.get(codec, OTHER)


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    import matplotlib as mpl  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure as NewFigure  # noqa: PLC0415

    settings: dict[Any, Any] = STYLE
    mpl.rcParams.update(settings)
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
        _show(ax, image, f"{name}\n{width}×{height}")
    return figure


def pairs(originals: Mapping[str, ImageU8], rebuilt: Mapping[str, ImageU8], captions: Mapping[str, str]) -> Figure:
    """Originals above reconstructions."""
    figure, axes = _figure(2, len(originals), 2.6 * len(originals), 5.6)
    for column, (name, image) in enumerate(originals.items()):
        _show(axes[0][column], image, name)
        _show(axes[1][column], rebuilt[name], captions[name])
    return figure


def strip(previews: Sequence[tuple[int, ImageU8]], columns: int = 8) -> Figure:
    """The search's previews, first to last, in rows of `columns`."""
    columns = min(columns, len(previews))
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
    ax.plot(np.arange(1, len(losses) + 1), losses, color=COLOURS["inversion"], linewidth=1.3)
    ax.set_yscale("log")
    ax.set_xlabel("iteration")
    ax.set_ylabel("loss")
    return figure


BARS = (
    ("vit-topk", "ViT-Score", "more is better"),
    ("psnr-rgb", "PSNR, dB", "more is better"),
    ("ssim", "SSIM", "more is better"),
    ("ms-ssim", "MS-SSIM", "more is better"),
    ("brisque", "BRISQUE", "less is better"),
    ("mse", "MSE", "less is better"),
)


def has_values(records: Sequence[Record], keys: Sequence[str]) -> bool:
    """Whether one of these metrics has a finite value in one of the records, so that a figure shows something."""
    return any(math.isfinite(r.scores.get(key, math.nan)) for r in records for key in keys)


def bars(records: Sequence[Record], chance: float | None) -> Figure:
    """Mean of each metric a codec at equal bytes, one dot an image; one of `BARS` must have a finite value."""
    shown = [bar for bar in BARS if has_values(records, bar[:1])]
    figure, axes = _figure(math.ceil(len(shown) / 3), 3, 9.6, 2.5 * math.ceil(len(shown) / 3))
    codecs = list(dict.fromkeys(r.codec for r in records))
    for ax, (key, label, direction) in zip(axes.flat, shown, strict=False):
        for place, codec in enumerate(codecs):
            values = np.array([r.scores[key] for r in records if r.codec == codec and key in r.scores])
            values = values[np.isfinite(values)]
            if values.size:
                ax.bar(place, values.mean(), color=colour(codec), width=0.66, alpha=0.85)
                ax.scatter([place] * len(values), values, color="#0f172a", s=7, zorder=3, alpha=0.6)
        if key == "vit-topk" and chance is not None:
            ax.axhline(chance, color="#dc2626", linewidth=1, linestyle="--")
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
            ax.annotate("chance", (-0.45, chance + 0.02), color="#dc2626", fontsize=7, va="bottom", ha="left", bbox=box)
        ax.set_xticks(range(len(codecs)), codecs, rotation=35, ha="right", rotation_mode="anchor")
        ax.set_title(f"{label} ({direction})")
    for ax in list(axes.flat)[len(shown) :]:
        ax.set_axis_off()
    return figure


def rate_distortion(records: Sequence[Record], key: str, label: str) -> Figure:
    """A metric against bytes: JPEG's ladder as a line an image, the equal-bytes files as dots.

    The metric must have a finite value.
    """
    figure, axes = _figure(1, 1, 4.7, 3.1)
    ax = axes[0][0]
    for image in dict.fromkeys(r.image for r in records):
        ladder = sorted(
            (r for r in records if r.image == image and r.details["group"] == "ladder"), key=lambda r: r.bytes
        )
        ax.plot([r.bytes for r in ladder], [r.scores.get(key, math.nan) for r in ladder], color="#cbd5e1", linewidth=1)
    for codec in dict.fromkeys(r.codec for r in records if r.details["group"] != "ladder"):
        chosen = [r for r in records if r.codec == codec and r.details["group"] != "ladder"]
        ax.scatter(
            [r.bytes for r in chosen],
            [r.scores.get(key, math.nan) for r in chosen],
            color=colour(codec),
            s=18,
            label=codec,
            zorder=3,
        )
    ax.set_xscale("log")
    ax.set_xlabel("bytes of the file")
    ax.set_ylabel(label)
    ax.legend(frameon=False, fontsize=7, title="lines: JPEG 1 … 100", title_fontsize=7)
    return figure
