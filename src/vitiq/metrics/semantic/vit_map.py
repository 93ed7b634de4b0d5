"""Where a reconstruction lost what the image shows, and where the network looked: maps over the image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64
from PIL import Image

from vitiq.metrics.guards import check_sizes
from vitiq.metrics.semantic.tiles import PHASE, Tiling, tile_distances, tiling
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone


@dataclass(frozen=True, slots=True)
class MeaningMap:
    """Two maps over one image, each from its left upper to its right lower corner.

    Attributes:
        loss: loss of meaning, 0 (nothing) … 2: geometric mean over the levels of the later half of the network of
            1 - cos(x, y) of the patch tokens at the same place, blended where tiles overlap.
        attention: attention rollout of the class token on the original, a share of 1 a patch of the whole image
            (Abnar & Zuidema 2020, section 3, arXiv 2005.00928).
        signature: backbone, weights, preprocessing, tiles.
    """

    loss: Float32[np.ndarray, "rows columns"]
    attention: Float32[np.ndarray, "grid grid"]
    signature: str


def patch_losses(distances: Float64[np.ndarray, "tile level p"]) -> Float64[np.ndarray, "tile p"]:
    """Geometric mean over the levels after the first (what is shown), 0 where one of them is 0."""
    late = distances[:, 1:]
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.log(np.maximum(late, 0.0)).mean(axis=1)), dtype=np.float64)


def quiet_corners(values: Float64[np.ndarray, "tile p"]) -> Float64[np.ndarray, "tile grid grid"]:
    """Patch values as a grid, each corner the mean of its two neighbours.

    A ViT keeps knowledge of the whole image in tokens that carry little of their own, above all in the corners (Darcet
    et al. 2024, "Vision Transformers Need Registers", arXiv 2309.16588); these hardly change with what lies there.
    """
    grid = round(values.shape[1] ** 0.5)
    out = values.reshape(-1, grid, grid).copy()
    if grid > 1:
        for row, beside_row in ((0, 1), (-1, -2)):
            for column, beside_column in ((0, 1), (-1, -2)):
                out[:, row, column] = (out[:, beside_row, column] + out[:, row, beside_column]) / 2
    return out


def spread(values: Float64[np.ndarray, "tile grid grid"], plan: Tiling) -> Float32[np.ndarray, "rows columns"]:
    """Patch values of all tiles on one grid of cells: upsampled bilinearly, overlaps blended, the rim repeated."""
    grid = values.shape[1]
    patch = plan.side // grid
    cell = math.gcd(patch, PHASE)  # edges of the patches of all tiles fall on edges of cells
    rows, columns = -(-plan.height // cell), -(-plan.width // cell)
    total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
    for (x, y), tile in zip(plan.corners, values, strict=True):
        size = grid * patch // cell
        block = np.asarray(Image.fromarray(tile.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR))
        ramp = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5)
        weight = np.outer(ramp, ramp)
        place = np.s_[y // cell : y // cell + len(block), x // cell : x // cell + len(block)]
        total[place] += weight * block
        count[place] += weight
    kept_rows, kept_columns = count.max(axis=1) > 0, count.max(axis=0) > 0
    inner = total[np.ix_(kept_rows, kept_columns)] / count[np.ix_(kept_rows, kept_columns)]
    pad = [(int(k.argmax()), int(k[::-1].argmax())) for k in (kept_rows, kept_columns)]
    return np.pad(inner, pad, mode="edge").astype(np.float32)


def meaning_map(reference: ImageU8, distorted: ImageU8, backbone: Backbone | None = None) -> MeaningMap:
    """Maps of one pair.

    Args:
        backbone: None for the embedded ViT.

    Raises:
        InputError: the sizes differ.
    """
    check_sizes(reference, distorted)
    if backbone is None:
        from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

        backbone = load_backbone()
    height, width, _ = reference.shape
    plan = tiling(width, height, backbone.image_size)
    loss = spread(quiet_corners(patch_losses(tile_distances(backbone, reference, distorted, plan))), plan)
    signature = f"vit-map|tiles:{backbone.image_size}+{PHASE}|levels:later-half,norm|{backbone.signature()}|v1"
    return MeaningMap(loss, backbone.rollout(reference), signature)
