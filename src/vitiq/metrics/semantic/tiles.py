"""Images in full-resolution tiles, and the levels' distances that `vit-tiles` and the map are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from vitiq.errors import InputError
from vitiq.image.geometry import resize
from vitiq.image.shared import shared
from vitiq.metrics.semantic.matching import cosines
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone

CODEC_GRID = 8
AT_ONCE = 64
"""Tiles of each image whose tokens are in memory."""

LARGEST = 2**25
"""Pixels that an image is enlarged to at most."""

PHASE = 4
"""Codecs work on grids of 8 or 16 pixels; tiles start off that grid, so that block edges fall inside patches."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Where the tiles of an image lie.

    Attributes:
        width, height: of the image as read (enlarged if a side is shorter than a tile).
        side: of a tile.
        corners: left and top of each tile.
    """

    width: int
    height: int
    side: int
    corners: tuple[tuple[int, int], ...]


def starts(length: int, side: int) -> list[int]:
    """First pixels of the fewest tiles that cover a side of `length` ≥ `side`, evenly spread, off the codec grid."""
    if length < side + CODEC_GRID:
        return [0]
    last = (length - side - PHASE) // CODEC_GRID
    count = -(-(length - CODEC_GRID) // side)
    steps = max(1, count - 1)
    return [PHASE + CODEC_GRID * round(i * last / steps) for i in range(count)]


def tiling(width: int, height: int, side: int) -> Tiling:
    """Tiles of `side` of an image at full resolution; an image smaller than a tile is enlarged until it fits.

    Raises:
        InputError: it is so long and narrow that the enlarged image would have more than 2**25 pixels.
    """
    scale = max(1.0, side / min(width, height))
    wide, high = round(width * scale), round(height * scale)
    if scale > 1 and wide * high > LARGEST:
        raise InputError(
            f"an image of {width}×{height} pixels given, enlarged to tiles of {side} it has {wide}×{high}; give a part"
        )
    width, height = wide, high
    corners = tuple((x, y) for y in starts(height, side) for x in starts(width, side))
    return Tiling(width, height, side, corners)


def cut(image: ImageU8, plan: Tiling) -> list[ImageU8]:
    """The tiles of an image."""
    image = resize(image, plan.width, plan.height, "bicubic")
    side = plan.side
    return [np.ascontiguousarray(image[y : y + side, x : x + side]) for x, y in plan.corners]


@shared
def tile_distances(
    backbone: Backbone, reference: ImageU8, distorted: ImageU8, plan: Tiling
) -> Float[np.ndarray, "tile level p"]:
    """`level_distances` of all tiles of a pair, some at a time: the tokens of a large image would not fit."""
    first, second = cut(reference, plan), cut(distorted, plan)
    pairs = ((first[i : i + AT_ONCE], second[i : i + AT_ONCE]) for i in range(0, len(first), AT_ONCE))
    return np.concatenate([level_distances(backbone.levels(a), backbone.levels(b)) for a, b in pairs])


def level_distances(
    a: Float[np.ndarray, "tile level p d"], b: Float[np.ndarray, "tile level p d"]
) -> Float[np.ndarray, "tile level p"]:
    """1 - cosine of every patch token with the one at the same place, 0 … 2."""
    return np.asarray(1.0 - cosines(a, b), dtype=np.float64)


def appearance_and_meaning(distances: Float[np.ndarray, "tile level p"]) -> tuple[float, float]:
    """Distance of how it looks (the first level, before any block) and of what it shows (the later ones), 0 … 2 each.

    Mean over the patches of a level; geometric mean over levels, which needs no weights although their distances differ
    in scale. `benchmarks/vit_tiles_settings.py` compares this with other levels and pools, without human scores.
    """
    levels = distances.mean(axis=(0, 2)).clip(min=0)
    meaning = 0.0 if (levels[1:] == 0).any() else float(np.exp(np.log(levels[1:]).mean()))
    return float(levels[0]), meaning
