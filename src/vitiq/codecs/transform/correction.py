"""A correction of an image's local means: what latents of one step for all leave wrong in smooth and flat areas.

The mean errors of cells of 32×32 pixels, in the codec's three colours, go through a discrete cosine transform over the
whole image (over tiles of 64×64 cells at most). Its coefficients are rounded by rate and distortion, with a step that
follows from the quality, and coded under tables whose scale falls with the frequency, two numbers a colour. The decoder
adds the errors to what the synthesis gives, interpolated between the cells' centres
(docs/adr/0028-correction-of-local-means.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from vitiq.codecs import entropy_coding
from vitiq.codecs.entropy_coding import Code, Layer, SymbolGroup
from vitiq.codecs.logistic import SCALES
from vitiq.codecs.transform.latent_coding import bits_of, cheapest
from vitiq.codecs.transform.networks.block_dct import BLOCK, colour_matrix
from vitiq.errors import BitstreamError
from vitiq.types import ImageU8

CELL = 32
"""Side of a cell in pixels."""

TILE = 64
"""Cells of a side of a tile, at most."""

WEIGHT = 6 / math.log(2)
"""Bits that a squared error of 1 symbol is worth: where a finer step costs as many bits as it saves."""

BANDS = 15
"""Bands of frequency, half an octave each."""

SCALES_BITS = 16
"""Bits of the two numbers of a colour."""

SLOPES, SLOPE_UNIT = 256, 16
"""How much the index of the scale falls from band to band, in sixteenths."""

STRIP = 2**22
"""Pixels whose errors are in memory at once."""

Means = Float64[np.ndarray, "rows columns 3"]
"""A colour offset of each cell, red, green and blue, in levels of 255."""

Tables = Int64[np.ndarray, "scales offsets symbols"]


class Correction(NamedTuple):
    """A coded correction.

    Attributes:
        data: bytes.
        symbols: of the coefficients, as `data` decodes to: three colours of the grid of cells.
    """

    data: bytes
    symbols: Layer


class _Scales(NamedTuple):
    """Tables of one colour: index of the scale in the lowest band, and how it falls from band to band."""

    first: int
    slope: int

    def indices(self, bands: Int64[np.ndarray, "*n"]) -> Int64[np.ndarray, "*n"]:
        return np.asarray(np.maximum(self.first - bands * self.slope // SLOPE_UNIT, 0))


class _Model:
    """The coefficients' tables, as an `EntropyModel` of one layer."""

    exact = True

    def __init__(self, tables: Tables, scales: list[_Scales | None], rows: int, columns: int) -> None:
        self.tables, self._scales, self._size = tables, scales, (rows, columns)

    def walk(self, code: Code, known: object = None) -> tuple[Layer, ...]:  # noqa: ARG002 - nothing hangs on it
        """Visit the coefficients colour by colour, row by row."""
        bands = _bands(*self._size).reshape(-1, 1)
        symbols = np.zeros((3, len(bands)), dtype=np.int32)
        zeros, positions = np.zeros_like(bands), np.arange(len(bands))
        for colour, scales in enumerate(self._scales):
            if scales is not None:
                channels = slice(colour, colour + 1)
                found = code(SymbolGroup(0, channels, positions, zeros, zeros, scales.indices(bands)))
                symbols[colour] = found[:, 0]
        return (symbols.reshape(3, *self._size),)


def grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of cells of an image."""
    return -(-height // CELL), -(-width // CELL)


def step(weight: float) -> float:
    """Step of the coefficients, in levels, for bits that a squared error of a sample is worth."""
    return math.sqrt(WEIGHT / weight)


def find(image: ImageU8, rebuilt: ImageU8, weight: float, tables: Tables) -> Correction | None:
    """The correction of least bits + weight · squared error; None where it costs more than it saves.

    Args:
        rebuilt: the image as the decoder rebuilds it without a correction.
        weight: bits that a squared error of 1 level of a sample is worth.
    """
    found = encode(mean_errors(image, rebuilt), weight, tables)
    if found is None:
        return None
    means, saved = decode_means(found.symbols, weight), 0.0
    for rows in _strips(image):
        before = rebuilt[rows].astype(np.float32)
        after = np.rint(before + upsampled(means, rows, slice(0, image.shape[1]))).clip(0, 255)
        saved += float((np.square(before - image[rows]) - np.square(after - image[rows])).sum(dtype=np.float64))
    return found if weight * saved > 8 * (len(found.data) + 1) else None


def expected_saving(means: Means, weight: float, tables: Tables) -> float:
    """Bits that a correction would save, and what the errors it mends are worth, were `means` all that is wrong."""
    bits = bits_of(tables)
    fits = [_fitted(plane, bits) for plane in _transformed(means) / step(weight)]
    return sum(max(0.0, without - cost - SCALES_BITS) for _, without, cost in fits)


def encode(means: Means, weight: float, tables: Tables) -> Correction | None:
    """Mean errors coded with least bits + weight · squared error; None where no coefficient pays."""
    coefficients, bits = _transformed(means) / step(weight), bits_of(tables)
    scales: list[_Scales | None] = []
    for plane in coefficients:
        found, without, cost = _fitted(plane, bits)
        scales.append(found if cost + SCALES_BITS < without else None)
    if not any(scales):
        return None
    flat = coefficients.reshape(3, -1)

    def choose(group: SymbolGroup) -> Int64[np.ndarray, "n 1"]:
        wanted = flat[group.channels].T
        values, _ = cheapest(wanted, group.mean, bits, (group.scale, group.offset), np.full(wanted.shape, WEIGHT))
        return values

    model = _Model(tables, scales, *means.shape[:2])
    data, (symbols,) = entropy_coding.encode(model, choose, inline=True)
    if not symbols.any():
        return None
    return Correction(b"".join(map(_scales_bytes, scales)) + data, symbols)


def decode(data: bytes, height: int, width: int, tables: Tables) -> Layer:
    """Symbols of a correction of an image of height×width.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    scales: list[_Scales | None] = []
    for _ in range(3):
        if data[:1] == b"\0":
            scales.append(None)
            data = data[1:]
            continue
        if len(data) < 2 or data[0] > SCALES:
            raise BitstreamError("a correction without the scales of its colours given; the file is damaged")
        scales.append(_Scales(data[0] - 1, data[1]))
        data = data[2:]
    (symbols,) = entropy_coding.decode(data, _Model(tables, scales, *grid(height, width)), inline=True)
    return symbols


def decode_means(symbols: Layer, weight: float) -> Means:
    """The cells' offsets of a correction's symbols."""
    values = symbols.astype(np.float64) * step(weight)
    means = np.empty_like(values)
    for down, across in _tiles(*symbols.shape[1:]):
        one, other = _dct(down.stop - down.start), _dct(across.stop - across.start)
        means[:, down, across] = one.T @ values[:, down, across] @ other / CELL
    return np.asarray(np.moveaxis(means, 0, 2) @ colour_matrix().double().numpy())


def upsampled(means: Means, rows: slice, columns: slice) -> Float32[np.ndarray, "height width 3"]:
    """Offsets of a rectangle of pixels, interpolated linearly between the centres of the cells."""
    (above, below, down), (left, right, across) = (
        _neighbours(part, count) for part, count in zip((rows, columns), means.shape[:2], strict=True)
    )
    first, last = left[0], right[-1] + 1
    seen = means[:, first:last].astype(np.float32)
    lines = seen[above] + down[:, None, None] * (seen[below] - seen[above])
    start = lines[:, left - first]
    return np.asarray(start + across[:, None] * (lines[:, right - first] - start))


def mean_errors(image: ImageU8, rebuilt: ImageU8) -> Means:
    """Mean of `image - rebuilt` in each cell; of those at the right and below, in what the image has of them."""
    height, width, _ = image.shape
    starts = [np.arange(0, side, CELL) for side in (height, width)]
    means = np.empty((*grid(height, width), 3))
    for rows in _strips(image):
        error = image[rows].astype(np.int32) - rebuilt[rows]
        inside = starts[0][(starts[0] >= rows.start) & (starts[0] < rows.stop)] - rows.start
        sums = np.add.reduceat(np.add.reduceat(error, inside, axis=0), starts[1], axis=1)
        means[rows.start // CELL : rows.start // CELL + len(inside)] = sums
    sides = [np.diff(np.append(start, side)) for start, side in zip(starts, (height, width), strict=True)]
    return np.asarray(means / (sides[0][:, None, None] * sides[1][:, None]))


def _strips(image: ImageU8) -> list[slice]:
    """Rows of an image in parts of whole cells."""
    height, width, _ = image.shape
    count = CELL * max(1, STRIP // (CELL * width))
    return [slice(start, min(start + count, height)) for start in range(0, height, count)]


def _parts(count: int) -> list[slice]:
    """Cells of a side in about equal parts of TILE at most."""
    parts = -(-count // TILE)
    return [slice(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def _tiles(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Tiles of a grid of cells."""
    return product(_parts(rows), _parts(columns))


@lru_cache(maxsize=8)
def _dct(count: int) -> Float64[np.ndarray, "n n"]:
    """Orthonormal cosines, a frequency a row."""
    n = np.arange(count)
    rows: np.ndarray = np.cos(math.pi * (2 * n + 1) * n[:, None] / (2 * count)) * math.sqrt(2 / count)
    rows[0] /= math.sqrt(2)
    return rows


def _transformed(means: Means) -> Float64[np.ndarray, "3 rows columns"]:
    """Coefficients, in levels: their squares add up to the squared errors of all samples."""
    planes = np.moveaxis(means @ colour_matrix().double().numpy().T, 2, 0)
    found: np.ndarray = np.empty_like(planes)
    for down, across in _tiles(*means.shape[:2]):
        one, other = _dct(down.stop - down.start), _dct(across.stop - across.start)
        found[:, down, across] = one @ planes[:, down, across] @ other.T * CELL
    return found


def _bands(rows: int, columns: int) -> Int64[np.ndarray, "rows columns"]:
    """Band of frequency of each coefficient, in whole numbers: half an octave each, 0 for the mean of a tile."""
    bands = np.empty((rows, columns), dtype=np.int64)
    for down, across in _tiles(rows, columns):
        v, u = (TILE * np.arange(part.stop - part.start) // (part.stop - part.start) for part in (down, across))
        squares = v[:, None] ** 2 + u**2
        # Number of binary digits, without logarithms.
        bands[down, across] = sum(squares >= 2**digits for digits in range(BANDS - 1))
    return bands


def _neighbours(pixels: slice, cells: int) -> tuple[np.ndarray, np.ndarray, Float32[np.ndarray, " n"]]:
    """Cells before and after each pixel of a row, and the share of the second."""
    at = (np.arange(pixels.start, pixels.stop) + 0.5) / CELL - 0.5
    before = np.floor(at).astype(np.int64)
    share = (at - before).astype(np.float32)
    return before.clip(0, cells - 1), (before + 1).clip(0, cells - 1), share


def _fitted(
    plane: Float[np.ndarray, "rows columns"], bits: Float64[np.ndarray, "scales offsets symbols"]
) -> tuple[_Scales, float, float]:
    """The scales of least cost of a colour; what it costs without a correction, and with them."""
    bands, wanted = _bands(*plane.shape).ravel(), plane.ravel()
    zeros, weights = np.zeros(len(wanted), dtype=np.int64), np.full(len(wanted), WEIGHT)
    by_band = np.empty((SCALES, BANDS))
    for scale in range(SCALES):
        _, cost = cheapest(wanted, zeros, bits, (np.full_like(zeros, scale), zeros), weights)
        by_band[scale] = np.bincount(bands, cost, BANDS)
    first, slope = np.arange(SCALES)[:, None, None], np.arange(SLOPES)[None, :, None]
    index = np.maximum(first - np.arange(BANDS) * slope // SLOPE_UNIT, 0)
    total = by_band[index, np.arange(BANDS)].sum(axis=2)
    best = int(total.argmin())
    without = WEIGHT * float(np.square(wanted).sum())
    return _Scales(best // SLOPES, best % SLOPES), without, float(total.min())


def _scales_bytes(scales: _Scales | None) -> bytes:
    return b"\0" if scales is None else bytes([scales.first + 1, scales.slope])


def from_leading(left: Float[np.ndarray, "3 h w"], size: tuple[int, int]) -> Means:
    """Mean errors of cells that the rounding of each block's mean colours leaves, as if nothing else were wrong.

    Args:
        left: of the leading latents of the image of `size` (height, width), in levels.
    """
    (rows, columns), ratio = grid(*size), CELL // BLOCK
    ends = ((0, max(0, ratio * count - have)) for count, have in zip((rows, columns), left.shape[1:], strict=True))
    whole = np.pad(left, ((0, 0), *ends), mode="edge")[:, : ratio * rows, : ratio * columns].astype(np.float64)
    means = whole.reshape(3, rows, ratio, columns, ratio).mean(axis=(2, 4)) / BLOCK
    return np.asarray(np.moveaxis(means, 0, 2) @ colour_matrix().double().numpy())
