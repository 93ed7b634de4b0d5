"""From planes of coefficients to the 8-bit image and back, as a decoder and an encoder of JPEG do.

Chroma is interpolated as libjpeg does, by a triangle filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from vitiq.filters.deblock.coefficients import Coefficients
from vitiq.filters.deblock.dct import LEVEL, SIDE, to_coefficients, to_planes

TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))
"""R, G, B of luma, blue and red difference (JFIF 1.02)."""

TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
"""Its inverse."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One component as tensors.

    Attributes:
        quantised: coefficients in steps.
        table: their steps.
        down, across: as in `Component`.
    """

    quantised: Float[Tensor, "64 _ _"]
    table: Float[Tensor, " 64"]
    down: int
    across: int

    @property
    def steps(self) -> Float[Tensor, "64 1 1"]:
        """The table, to multiply coefficients by."""
        return self.table[:, None, None]


def planes_of(coefficients: Coefficients) -> list[Plane]:
    """The components as tensors."""
    return [
        Plane(
            torch.from_numpy(item.quantised).permute(2, 0, 1).float().contiguous(),
            torch.from_numpy(item.table).float(),
            item.down,
            item.across,
        )
        for item in coefficients.components
    ]


def render(
    coefficients: Coefficients, planes: Sequence[Plane], offsets: Sequence[Float[Tensor, "64 _ _"]]
) -> UInt8[Tensor, "c h w"]:
    """The image, grey or RGB, of the coefficients plus offsets in steps."""
    height, width = coefficients.height, coefficients.width
    full = [_full_size(plane, offset, height, width) for plane, offset in zip(planes, offsets, strict=True)]
    if coefficients.space == "ycc":
        pixels = torch.einsum("ck,khw->chw", torch.tensor(TO_RGB, dtype=torch.float32), torch.stack(full)) + LEVEL
    else:
        pixels = torch.stack(full) + LEVEL
    return pixels.round_().clamp_(0, 255).to(torch.uint8)


def _full_size(plane: Plane, offset: Float[Tensor, "64 _ _"], height: int, width: int) -> Float[Tensor, "h w"]:
    """Pixels minus 128 of a component at the image's size."""
    samples = to_planes(((plane.quantised + offset) * plane.steps)[None, None])
    down, across = plane.down, plane.across
    if down == across == 1:
        return samples[0, 0, :height, :width]
    samples = samples[:, :, : -(-height // down), : -(-width // across)]
    size = (samples.shape[2] * down, samples.shape[3] * across)
    smooth = F.interpolate(samples, size=size, mode="bilinear", align_corners=False)
    return smooth[0, 0, :height, :width]


def analyse(
    coefficients: Coefficients, planes: Sequence[Plane], pixels: UInt8[Tensor, "c h w"]
) -> list[Float[Tensor, "64 _ _"]]:
    """Coefficients in steps, before rounding, of an image coded with the same tables and sampling."""
    values = pixels.float() - LEVEL
    if coefficients.space == "ycc":
        values = torch.einsum("ck,khw->chw", torch.tensor(TO_YCC, dtype=torch.float32), values).round()
    found = []
    for value, plane in zip(values, planes, strict=True):
        sampled = _sampled(value[None, None], plane.down, plane.across)
        edges = (0, -sampled.shape[3] % SIDE, 0, -sampled.shape[2] % SIDE)
        found.append(to_coefficients(F.pad(sampled, edges, mode="replicate"))[0, 0] / plane.steps)
    return found


def _sampled(value: Float[Tensor, "1 1 h w"], down: int, across: int) -> Float[Tensor, "1 1 a b"]:
    if down == across == 1:
        return value
    edges = (0, -value.shape[3] % across, 0, -value.shape[2] % down)
    mean = F.avg_pool2d(F.pad(value, edges, mode="replicate"), (down, across))
    return torch.floor(mean + 0.5)


def as_samples(pixels: UInt8[Tensor, "c h w"]) -> UInt8[np.ndarray, "h w c"]:
    """The image as arrays hold it."""
    found: UInt8[np.ndarray, "h w c"] = pixels.permute(1, 2, 0).contiguous().numpy()
    return found
