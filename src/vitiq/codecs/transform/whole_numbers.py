"""Whole-number arithmetic on grids of positions: exact sums in float64, convolutions as one matrix product a tap.

Grids are height × width × channels. A convolution reads one more row and column on each side; `around` cuts the rows
that a strip needs out of a grid, so that a strip's values are those of the whole.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64, Int64, Num

WEIGHT_BITS = 12
EXACT = 2.0**53

Tap = tuple[int, int]
SQUARE: tuple[Tap, ...] = tuple((dy, dx) for dy in range(3) for dx in range(3))
RING: tuple[Tap, ...] = tuple(tap for tap in SQUARE if tap != (1, 1))

Values = Float64[np.ndarray, "*grid c"]
Plane = Float64[np.ndarray, "h w c"]
"""Whole numbers carried in float64, channels last."""

Border = Literal["zeros", "repeat", "mirror"]


def taps(weight: np.ndarray, which: tuple[Tap, ...]) -> Float64[np.ndarray, "taps c o"]:
    """Matrices of a convolution's weight o×c×3×3."""
    return np.stack([weight[:, :, dy, dx].T for dy, dx in which]).astype(np.float64)


def product(a: Float64[np.ndarray, "n c"], b: Float64[np.ndarray, "c o"]) -> Float64[np.ndarray, "n o"]:
    """Matrix product by torch, whose threads are limited; NumPy starts some that cost more than they do."""
    return np.asarray((torch.from_numpy(np.ascontiguousarray(a)) @ torch.from_numpy(b)).numpy())


def convolve(
    padded: Float64[np.ndarray, "i j c"], weights: Float64[np.ndarray, "taps c o"], which: tuple[Tap, ...]
) -> Float64[np.ndarray, "i-2 j-2 o"]:
    """3×3 convolution of a grid padded by one on each side; channels that are zero everywhere are left out."""
    live = padded.any(axis=(0, 1))
    if not live.all():
        padded, weights = padded[..., live], weights[:, live]
    height, width, channels = padded.shape[0] - 2, padded.shape[1] - 2, padded.shape[2]
    total = np.zeros((height * width, weights.shape[2]))
    for (dy, dx), weight in zip(which, weights, strict=True):
        total += product(padded[dy : dy + height, dx : dx + width].reshape(height * width, channels), weight)
    return total.reshape(height, width, -1)


class Neighbours:
    """Some positions of a grid, and which of their eight neighbours are known.

    Args:
        known: 1 where a position of the grid, padded by one on each side, is known, else 0.
        positions: counted in the grid without the padding.
    """

    def __init__(self, known: Float64[np.ndarray, "i j 1"], positions: Int64[np.ndarray, " n"]) -> None:
        self._known, self._count = known, len(positions)
        rows, columns = np.divmod(positions, known.shape[1] - 2)
        places = ((tap, rows + dy, columns + dx) for tap, (dy, dx) in enumerate(RING))
        self._taps = [(tap, down, across) for tap, down, across in places if known[down, across].any()]

    def convolve(
        self, padded: Float64[np.ndarray, "i j c"], weights: Float64[np.ndarray, "taps c o"]
    ) -> Float64[np.ndarray, "n o"]:
        """3×3 convolution of what is known, without the centre, at the positions alone."""
        padded = padded * self._known
        live = padded.any(axis=(0, 1))
        padded, weights = padded[..., live], weights[:, live]
        total = np.zeros((self._count, weights.shape[2]))
        for tap, down, across in self._taps:
            total += product(padded[down, across], weights[tap])
        return total

    def depthwise(
        self, padded: Float64[np.ndarray, "i j c"], weights: Float64[np.ndarray, "taps c"]
    ) -> Float64[np.ndarray, "n c"]:
        """As `convolve`, each channel with its own weights."""
        padded = padded * self._known
        total = np.zeros((self._count, padded.shape[2]))
        for tap, down, across in self._taps:
            total += padded[down, across] * weights[tap]
        return total


def around(x: Num[np.ndarray, "h w c"], rows: slice, border: Border) -> Float64[np.ndarray, "rows w+2 c"]:
    """Rows of a grid with one more on each side, and one more column on each side.

    Beyond the grid are zeros, its last row or column again (`hyperprior.extended`), or its mirror image without the
    last one twice (`hyperprior.reflected`; repeated where there is only one).
    """
    last = len(x) - 1
    wanted = np.arange(rows.start - 1, rows.stop + 1)
    if border == "mirror":
        wanted = np.abs(wanted)
        wanted = np.where(wanted > last, 2 * last - wanted, wanted)
    found = x[np.clip(wanted, 0, last)].astype(np.float64)
    if border == "zeros":
        found[(wanted < 0) | (wanted > last)] = 0
        return np.pad(found, ((0, 0), (1, 1), (0, 0)))
    mirrored = border == "mirror" and x.shape[1] > 1
    return np.pad(found, ((0, 0), (1, 1), (0, 0)), mode="reflect" if mirrored else "edge")


def shuffle(x: Float64[np.ndarray, "h w rrc"], factor: int = 2) -> Float64[np.ndarray, "rh rw c"]:
    """Sub-pixel shuffle, in torch's order of channels."""
    height, width, channels = x.shape
    kept = channels // factor**2
    split = x.reshape(height, width, kept, factor, factor).transpose(0, 3, 1, 4, 2)
    return split.reshape(factor * height, factor * width, kept)


def wide(bias: np.ndarray) -> Float64[np.ndarray, " c"]:
    """A bias at the scale of products of activations and weights."""
    return np.asarray(bias.astype(np.float64) * 2**WEIGHT_BITS)


def narrow(x: Values, bits: int = WEIGHT_BITS) -> Values:
    """Back to FRACTION fractional bits; rounds down."""
    return np.asarray(np.floor(x / 2**bits))


def parabola(coefficients: Float64[np.ndarray, "c 3"], level: int, last: int) -> Float64[np.ndarray, " c"]:
    """a + b·t + c·t² at t = level / last, rounded down, with the coefficients' fractional bits."""
    a, b, c = coefficients.T
    return np.asarray(np.floor((a * last**2 + b * (last * level) + c * level**2) / last**2))
