"""Weighted sums over sliding windows, the inner loop of SSIM and BRISQUE.

A row of taps slid over n places is a banded n × (n + k - 1) matrix, so a block is filtered by one matrix product:
several times faster than tap by tap, in double precision. Blocks are as small as products stay fast, since most of a
band is zeros; the band is stored row by row, which BLAS multiplies twice as fast as its transpose. Products stay below
the size at which BLAS starts threads of its own, so a value does not depend on their number, and pairs can be scored
on threads of ours.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float64
from numpy.lib.stride_tricks import as_strided

DOWN, ACROSS = 4, 8
"""Sums of a block, down and across: the fastest of 4 … 32 on AVX2 and AVX-512."""

WIDTH = 4096
"""Values of a row that one product filters down, below BLAS's threads."""

STRIP = 2**16
"""Values of a map in a strip: more do not stay in the cache, fewer are not worth the calls."""

LINES = 448
"""Rows of all channels in a strip at most, so that the products of four maps stay below BLAS's threads."""


def strip_rows(channels: int, width: int) -> int:
    """Rows of sums to ask of `window_sums` at a time."""
    return max(DOWN, min(STRIP // (channels * width), LINES // channels) // DOWN * DOWN)


def gaussian(length: int, sigma: float) -> tuple[float, ...]:
    """Taps of a Gaussian window that sum to 1."""
    x = np.arange(length) - (length - 1) / 2
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return tuple((weights / weights.sum()).tolist())


@lru_cache(maxsize=64)
def _band(taps: tuple[float, ...], size: int, stride: int) -> Float64[np.ndarray, "n m"]:
    band = np.zeros((size, _reach(taps, size, stride)))
    for place in range(size):
        band[place, place * stride : place * stride + len(taps)] = taps
    band.flags.writeable = False
    return band


@lru_cache(maxsize=64)
def _turned(taps: tuple[float, ...], size: int, stride: int) -> Float64[np.ndarray, "m n"]:
    band = np.ascontiguousarray(_band(taps, size, stride).T)
    band.flags.writeable = False
    return band


def _reach(taps: tuple[float, ...], size: int, stride: int) -> int:
    """Values under `size` windows."""
    return (size - 1) * stride + len(taps)


def window_sums(
    values: Float64[np.ndarray, "*maps h c w"],
    taps: tuple[float, ...],
    spare: Float64[np.ndarray, " s"] | None = None,
    *,
    stride: int = 1,
) -> Float64[np.ndarray, "*maps i c j"]:
    """Sums of `values` over windows of taps × taps that lie inside: for windows of k at every place, H - k + 1 rows,
    W - k + 1 columns of each channel.

    Meant for a strip (`strip_rows` and what their windows reach), of one map or several.

    Args:
        spare: as much memory as `values` to work in; the sums then take the place of `values`.
        stride: places from one window to the next.
    """
    values = np.ascontiguousarray(values)
    *maps, height, channels, width = values.shape
    rows, columns = ((side - len(taps)) // stride + 1 for side in (height, width))
    shape = (math.prod(maps), rows, channels * width)
    place = values.reshape(-1)
    if spare is None:
        spare, place = np.empty(math.prod(shape)), np.empty(math.prod((*maps, rows, channels, columns)))
    down = carve(spare, shape)
    _down(values.reshape(-1, height, channels * width), taps, stride, down)
    sums = carve(place, (shape[0] * rows * channels, columns))
    _across(down.reshape(-1, width), taps, stride, sums)
    return sums.reshape(*maps, rows, channels, columns)


def carve(memory: Float64[np.ndarray, " s"], shape: tuple[int, ...]) -> Float64[np.ndarray, ...]:
    """An array of a shape at the beginning of some memory."""
    return memory[: math.prod(shape)].reshape(shape)


def _down(
    values: Float64[np.ndarray, "m h w"], taps: tuple[float, ...], stride: int, out: Float64[np.ndarray, "m i w"]
) -> None:
    maps, rows, width = out.shape
    blocks, rest = divmod(rows, DOWN)
    whole, start = rows - rest, (rows - rest) * stride
    a_map, a_row, a_value = values.strides
    shape, strides = (maps, blocks, _reach(taps, DOWN, stride), width), (a_map, DOWN * stride * a_row, a_row, a_value)
    windows = as_strided(values, shape, strides)
    sums = out[:, :whole].reshape(maps, blocks, DOWN, width)
    last = values[:, start : start + _reach(taps, rest, stride)]
    for left in range(0, width, WIDTH):
        part = np.s_[..., left : left + WIDTH]
        np.matmul(_band(taps, DOWN, stride), windows[part], out=sums[part])
        if rest:
            np.matmul(_band(taps, rest, stride), last[part], out=out[:, whole:][part])


def _across(
    values: Float64[np.ndarray, "n w"], taps: tuple[float, ...], stride: int, out: Float64[np.ndarray, "n j"]
) -> None:
    lines, columns = out.shape
    blocks, rest = divmod(columns, ACROSS)
    whole, start = columns - rest, (columns - rest) * stride
    a_line, a_value = values.strides
    shape, strides = (blocks, lines, _reach(taps, ACROSS, stride)), (ACROSS * stride * a_value, a_line, a_value)
    sums = out[:, :whole].reshape(lines, blocks, ACROSS).transpose(1, 0, 2)
    np.matmul(as_strided(values, shape, strides), _turned(taps, ACROSS, stride), out=sums)
    if rest:
        last = values[:, start : start + _reach(taps, rest, stride)]
        np.matmul(last, _turned(taps, rest, stride), out=out[:, whole:])
