"""Resizing in the transform domain: DCT coefficients of blocks to those of the resized image, without pixels.

A DCT, a resize and an inverse DCT are linear and separable, so their product is one matrix a side (Dugad & Ahuja 2001,
"A fast scheme for image size change in the compressed domain", DOI 10.1109/76.915353, for the halving). Frequencies
that the smaller image cannot hold are left out of it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vitiq.codecs.transform.networks.block_dct import BLOCK, coefficient_order

TAPER = 2
"""Frequencies kept beyond the smaller image's highest: the resize rolls off slowly."""


AT_ONCE = 256
"""Pixels of a side whose resize is found at once: the memory for it grows with a side, not with its square."""


def cosines() -> Float[Tensor, "16 16"]:
    """Orthonormal DCT-II of a block's side: frequency × place."""
    n = torch.arange(BLOCK, dtype=torch.float64)
    rows = torch.cos(math.pi * (2 * n[None] + 1) * n[:, None] / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    rows[0] /= math.sqrt(2)
    return rows


def kept_frequencies(side: int, target: int) -> int:
    """Frequencies of a block's side, 1 … 16, that a side of `target` blocks can show of `side` pixels."""
    return min(BLOCK, math.ceil(BLOCK * BLOCK * target / side) + TAPER)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # kept for training too, whoever asks first
def side_matrix(side: int, target: int) -> Float[Tensor, "out into"]:
    """Coefficients along one side to those of the resized side; bicubic, antialiased.

    Args:
        side: of the image in pixels; its last block may reach beyond it.
        target: of the resized image in blocks.

    Returns:
        (16 target) × (blocks · kept) matrix, by block, then frequency.
    """
    blocks, kept = -(-side // BLOCK), kept_frequencies(side, target)
    parts = torch.arange(side).tensor_split(-(-side // AT_ONCE))  # even ones: torch resizes a single column wrongly
    resize = torch.cat([_resizing(side, target, part) for part in parts], dim=1)
    pixels = F.pad(resize, (0, BLOCK * blocks - side))
    after = torch.einsum("fp,tpn->tfn", cosines(), pixels.view(target, BLOCK, -1)).reshape(BLOCK * target, -1)
    spread = torch.einsum("mbp,fp->mbf", after.view(-1, blocks, BLOCK), cosines()[:kept])
    return spread.reshape(BLOCK * target, blocks * kept).float()


def _resizing(side: int, target: int, pixels: Int[Tensor, " n"]) -> Float[Tensor, "out n"]:
    """What some pixels of a side add to those of the resized side: the resize of images of one bright pixel each."""
    bright = torch.zeros(side, len(pixels), dtype=torch.float64)
    bright[pixels, torch.arange(len(pixels))] = 1
    size = (BLOCK * target, len(pixels))
    found = F.interpolate(bright[None, None], size, mode="bicubic", antialias=True, align_corners=False)
    return found[0, 0]


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # kept for training too, whoever asks first
def _places(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Channels within the first rows × columns frequencies, and their places in the flattened planes of those."""
    plane, v, u = coefficient_order().unbind(1)
    channels = torch.nonzero((v < rows) & (u < columns)).flatten()
    return channels, ((plane * rows + v) * columns + u)[channels]


def resample(
    coefficients: Float[Tensor, "c h w"], height: int, width: int, target: int
) -> Float[Tensor, "planes f g target target"]:
    """Coefficients of the image resized to a square of target × target blocks.

    Args:
        coefficients: in the order of `block_dct.coefficient_order`, orthonormal.
        height, width: of the image in pixels, at most 16h and 16w.

    Returns:
        Colour plane, vertical and horizontal frequency, block.
    """
    rows, columns = kept_frequencies(height, target), kept_frequencies(width, target)
    h, w = coefficients.shape[1:]
    channels, places = (index.to(coefficients.device) for index in _places(rows, columns))
    planes = coefficients.new_zeros(3 * rows * columns, h, w).index_copy(0, places, coefficients[channels])
    flat = planes.view(3, rows, columns, h, w).permute(0, 3, 1, 4, 2).reshape(3, h * rows, w * columns)
    down, across = (side_matrix(side, target).to(coefficients.device) for side in (height, width))
    resized = down @ flat @ across.T
    return resized.view(3, target, BLOCK, target, BLOCK).permute(0, 2, 4, 1, 3)
