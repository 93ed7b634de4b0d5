"""The figure of a semantic error map, beside where the network looked."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from vitiq import __version__
from vitiq.evaluation.inputs import read_any
from vitiq.evaluation.pair_store import key_of
from vitiq.files import check_output, write_bytes
from vitiq.image.colour import luma
from vitiq.image.formats import HEAD_BYTES
from vitiq.report.figures import styled
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from vitiq.models.backbones import Backbone

FULL = 1.0
"""Loss drawn in full colour: tokens at right angles. The same for every image, so that maps compare."""

KEY = "vitiq-map"
"""Keyword of the text chunk that says what a map was drawn from, so that the same command does not draw it again."""


def draw_map(left: Path, right: Path, target: Path, backbone: Backbone | None, *, overwrite: bool) -> None:
    """Write the figure of where `right` lost what `left` shows, unless just this figure is there.

    Raises:
        InputError: another file exists already, unless `overwrite`, or it is one of the images; or an image cannot be
            read.
    """
    from vitiq.metrics.semantic.vit_map import meaning_map  # noqa: PLC0415 - torch

    network = backbone.signature() if backbone is not None else "embedded"
    key = key_of((left, right), (__version__, "map", network, right.name))
    if not overwrite and _holds(target, key):
        return
    check_output(target, [left, right], overwrite=overwrite, option="--map")
    original, rebuilt = read_any(left), read_any(right)
    found = meaning_map(original, rebuilt, backbone)
    buffer = io.BytesIO()
    with styled():
        over_image(original, rebuilt, found.loss, found.attention, right.name).savefig(
            buffer, format="png", metadata={KEY: key}
        )
    write_bytes(target, buffer.getvalue(), overwrite=overwrite, source=right)


def _holds(target: Path, key: str) -> bool:
    """Whether a file is the map of this key: a text chunk before the pixels says so."""
    try:
        if not target.is_file():  # a pipe would wait for its writer
            return False
        with target.open("rb") as file:
            return f"{KEY}\0{key}".encode() in file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return False


def over_image(
    original: ImageU8,
    rebuilt: ImageU8,
    loss: Float[np.ndarray, "rows columns"],
    attention: Float[np.ndarray, "grid grid"],
    caption: str = "",
) -> Figure:
    """Original, reconstruction, semantic error map over the reconstruction, attention rollout over the original.

    Args:
        loss: of any grid that covers the image, 0 … 2 (`vitiq.metrics.semantic.vit_map`).
        attention: likewise, shares of 1.
        caption: of the reconstruction.
    """
    from matplotlib.figure import Figure as NewFigure  # noqa: PLC0415 - slow to import

    height, width, _ = original.shape
    tall = 3.0 * height / width
    figure = NewFigure(figsize=(12.4, tall + 0.7), dpi=120, layout="constrained")
    axes = figure.subplots(2, 4, height_ratios=[tall, 0.09], squeeze=False)
    reconstruction = f"reconstruction, {caption}" if caption else "reconstruction"
    for ax, image, title in zip(axes[0], (original, rebuilt) * 2, ("original", reconstruction, *TITLES), strict=True):
        ax.set_title(title)
        ax.set_axis_off()
        if title not in TITLES:
            ax.imshow(image)
    area = (0, width, height, 0)
    share = attention / max(float(attention.max()), 1e-12)
    scales = (("inferno", ("0", f"{FULL / 2:g}", f"{FULL:g}")), ("viridis", ("none", "", "most")))
    for place, image, values, (colours, ticks) in zip(
        (2, 3), (rebuilt, original), (loss / FULL, share), scales, strict=True
    ):
        axes[0][place].imshow(luma(image), cmap="gray", vmin=0, vmax=255, extent=area)
        drawn = axes[0][place].imshow(
            values.clip(0, 1), cmap=colours, vmin=0, vmax=1, alpha=0.72, extent=area, interpolation="bilinear"
        )
        bar = figure.colorbar(drawn, cax=axes[1][place], orientation="horizontal", ticks=[0, 0.5, 1])
        bar.ax.set_xticklabels(ticks)
        bar.ax.spines[:].set_visible(False)
    for ax in axes[1][:2]:
        ax.set_axis_off()
    return figure


TITLES = ("semantic error map", "attention rollout, original")
