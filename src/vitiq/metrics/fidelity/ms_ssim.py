"""MS-SSIM: contrast and structure at five scales, luminance at the coarsest (DOI 10.1109/ACSSC.2003.1292216).

As in the authors' program: each scale is the 2×2 mean of the one before, an odd last row or column being repeated;
sides below 176, whose fifth scale would be smaller than the window, are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from vitiq.errors import InputError
from vitiq.metrics.base import PairMetric
from vitiq.metrics.fidelity.ssim import (
    WANG,
    Planes,
    luma601_plane,
    luma_similarity,
    mean_similarity,
    rgb_similarity,
)
from vitiq.metrics.halves import half_planes, halve
from vitiq.metrics.measured import OfConditions, luma_10bit
from vitiq.types import ImageU8, Score

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, finest first (Wang et al. 2003, section 3.2)."""

SMALLEST = WANG.size * 2 ** (len(SCALE_WEIGHTS) - 1)
"""Smallest side: 176 halves four times to 11."""


def halve_zeros(values: Float64[np.ndarray, "h c w"]) -> Float64[np.ndarray, "i c j"]:
    """Means of 2×2 blocks as pytorch-msssim takes them: of an odd side, zeros stand before the first row or column."""
    height, _, width = values.shape
    if height % 2 or width % 2:
        values = np.pad(values, ((height % 2, 0), (0, 0), (width % 2, 0)))
    return halve(values)


def combine(
    first: tuple[Float64[np.ndarray, " c"], Float64[np.ndarray, " c"]],
    a: Planes,
    b: Planes,
    smaller: Callable[[Planes], Planes] = halve,
) -> Float64[np.ndarray, " c"]:
    """MS-SSIM of each channel; negative means of a scale count as 0.

    Args:
        first: `mean_similarity` of the finest scale.
        a, b: planes of the second scale.
    """
    product: Float64[np.ndarray, " c"] = np.maximum(first[1], 0) ** SCALE_WEIGHTS[0]
    for scale, weight in enumerate(SCALE_WEIGHTS[1:]):
        if scale:
            a, b = smaller(a), smaller(b)
        full, structure = mean_similarity(a, b)
        last = weight == SCALE_WEIGHTS[-1]
        product *= np.maximum(full if last else structure, 0) ** weight
    return product


class _MsSsim(PairMetric):
    range = (0.0, 1.0)
    higher_is_better = True
    kind = "full-reference"
    differentiable = True
    reference = "Wang, Simoncelli & Bovik 2003, DOI 10.1109/ACSSC.2003.1292216"
    formula = "SSIM of scale 5 ^ 0.1333 · Π contrast-structure of scale i ^ w_i"
    channels: ClassVar[str] = "rgb-mean"

    def signature(self) -> str:
        """Window, scales, data range and channels."""
        window = "gauss:11-1.5|scales:5|mean-pool|cov:population|range:255"
        return f"{self.name}|{window}|{self.channels}|valid|v2"

    @staticmethod
    def check(reference: ImageU8, smallest: int = SMALLEST) -> None:
        """Raises InputError for a side below 176, or another smallest."""
        height, width, _ = reference.shape
        if min(height, width) < smallest:
            raise InputError(
                f"an image of {width}×{height} pixels given, MS-SSIM needs sides of at least {smallest}; "
                f"use ssim for smaller ones"
            )


class MsSsim(_MsSsim):
    """Multi-scale SSIM of five scales, mean of R, G and B."""

    name = "ms-ssim"
    title = "MS-SSIM"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """MS-SSIM; InputError for sides below 176."""
        self.check(reference)
        first = rgb_similarity(reference, distorted)
        return Score(float(combine(first, half_planes(reference), half_planes(distorted)).mean()), self.signature())


class MsSsimY(OfConditions, _MsSsim):
    """Multi-scale SSIM of the luma, as in the paper.

    Args:
        conditions: `jpeg-ai-cttc` for JPEG AI's: BT.709 luma of 10 bits, halved as pytorch-msssim 1.0.0 does.
    """

    name = "ms-ssim-y"
    title = "MS-SSIM (luma)"
    channels = "luma:bt601-full"

    def signature(self) -> str:
        """Window, scales, data range and channels."""
        if not self.ten_bits:
            return super().signature()
        window = "gauss:11-1.5|scales:5|mean-pool:zeros|cov:population|range:255"
        return f"{self.name}|{window}|luma:bt709-full-10bit|valid|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """MS-SSIM; InputError for sides below 176, for JPEG AI's below 161."""
        if self.ten_bits:
            self.check(reference, SMALLEST - 15)
            a, b = (luma_10bit(image)[:, None, :] for image in (reference, distorted))
            first = mean_similarity(a, b)
            return Score(float(combine(first, halve_zeros(a), halve_zeros(b), halve_zeros).mean()), self.signature())
        self.check(reference)
        first = luma_similarity(reference, distorted)
        a, b = (halve(luma601_plane(image)) for image in (reference, distorted))
        return Score(float(combine(first, a, b).mean()), self.signature())
