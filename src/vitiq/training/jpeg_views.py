"""JPEG files of training crops without the files: planes, quantisation tables and quantised coefficients.

What an encoder and a decoder do apart from entropy coding, on a whole batch: colour transform, mean of the chroma of
2×2 pixels, DCT, rounding by libjpeg's tables. A share of the crops was a JPEG before, of another quality and most
often with its blocks elsewhere, as images from the web were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from vitiq.filters.deblock.dct import LEVEL, SIDE, to_coefficients, to_planes
from vitiq.filters.deblock.render import TO_YCC
from vitiq.filters.deblock.tables import standard_tables


@dataclass(frozen=True, slots=True)
class Coded:
    """Planes of one resolution, coded.

    Attributes:
        planes: what was coded, pixels minus 128.
        quantised: coefficients in steps.
        tables: their steps.
    """

    planes: Float[Tensor, "n p h w"]
    quantised: Float[Tensor, "n p 64 i j"]
    tables: Float[Tensor, "n p 64"]


def to_ycc(images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
    """Luma and chroma as an encoder rounds them, minus 128."""
    matrix = torch.tensor(TO_YCC, device=images.device)
    planes = torch.einsum("ck,nhwk->nchw", matrix, images.float())
    planes[:, 0] -= LEVEL
    return planes.round().clamp(-LEVEL, LEVEL - 1)


def to_rgb(planes: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Pixels 0 … 255, not rounded, of luma and chroma minus 128."""
    y, cb, cr = planes[:, 0] + LEVEL, planes[:, 1], planes[:, 2]
    return torch.stack([y + 1.402 * cr, y - 0.344136286 * cb - 0.714136286 * cr, y + 1.772 * cb], dim=1)


def draw_tables(rng: np.random.Generator, low: float, high: float) -> Float[Tensor, "2 64"]:
    """Tables of luma and chroma: libjpeg's, the logarithm of their quality drawn; now and then flatter or steeper."""
    quality = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    tables = torch.from_numpy(standard_tables(round(quality))).float()
    if rng.random() < 0.15:
        power, level = rng.uniform(0.3, 1.2), tables.mean(dim=1, keepdim=True)
        tables = (level * torch.div(tables, level) ** power).round().clamp(1, 255)
    return tables


def code(planes: Float[Tensor, "n p h w"], tables: Float[Tensor, "n p 64"]) -> Coded:
    """Quantised coefficients of planes; sides are multiples of 8."""
    return Coded(planes, torch.round(to_coefficients(planes) / tables[..., None, None]), tables)


def decoded(coded: Coded) -> Float[Tensor, "n p h w"]:
    """Decoded planes, pixels minus 128, neither rounded nor clipped."""
    return to_planes(coded.quantised * coded.tables[..., None, None])


def coded_before(
    planes: Float[Tensor, "3 h w"], tables: Float[Tensor, "2 64"], shift: tuple[int, int]
) -> Float[Tensor, "3 h w"]:
    """Planes after a JPEG of full chroma whose blocks began `shift` pixels above and to the left."""
    _, height, width = planes.shape
    down, across = shift
    edges = (across, -(width + across) % SIDE, down, -(height + down) % SIDE)
    padded = F.pad(planes[None], edges, mode="replicate")
    steps = torch.stack([tables[0], tables[1], tables[1]])[None].to(planes)
    found = to_rgb(decoded(code(padded, steps)))[0, :, down : down + height, across : across + width]
    return to_ycc(found.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)[None])[0]


def subsampled(chroma: Float[Tensor, "n 2 h w"], factors: tuple[int, int]) -> Float[Tensor, "n 2 a b"]:
    """Chroma as an encoder averages it, rounded, by factors down and across."""
    return torch.floor(F.avg_pool2d(chroma, factors) + 0.5) if max(factors) > 1 else chroma
