"""RGB colour spaces stated by numbers, and their conversion to sRGB.

Sources: IEC 61966-2-1 (sRGB); ITU-T H.273 tables 2 and 3 (code points of cICP and nclx); PNG third edition, sections
11.3.2 (cHRM, gAMA, sRGB, cICP) and 4.3 (precedence); Lindbloom, "Chromatic Adaptation" (Bradford matrix).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt, UInt8

Curve = Callable[[Float64[np.ndarray, "*n"]], Float64[np.ndarray, "*n"]]
"""Coded value 0 … 1 to light 0 … 1."""

Point = tuple[float, float]

D50 = (0.9642, 1.0, 0.8249)
"""White of ICC's profile connection space, XYZ (ICC.1:2022, 7.2.16)."""

SRGB_PRIMARIES: tuple[Point, Point, Point, Point] = ((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
"""White, red, green, blue of sRGB and BT.709 as x, y."""

PRIMARIES: dict[int, tuple[Point, Point, Point, Point]] = {
    1: SRGB_PRIMARIES,
    4: ((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: ((0.3127, 0.3290), (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: ((0.3127, 0.3290), (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: ((0.3127, 0.3290), (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: ((0.3127, 0.3290), (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: ((0.3127, 0.3290), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: ((0.3127, 0.3290), (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
"""H.273 ColourPrimaries -> white, red, green, blue. 2 (unspecified) is read as sRGB's."""

PRIMARY_NAMES = {4: "BT.470 M", 5: "BT.470 BG", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020", 11: "DCI-P3",
                 12: "Display P3", 22: "EBU 3213"}  # fmt: skip
HDR_TRANSFERS = {16: "PQ (SMPTE ST 2084)", 18: "HLG (ARIB STD-B67)"}
"""Transfers that are refused. The camera curve of BT.709, BT.601 and BT.2020 (1, 6, 14, 15) is read as sRGB's:
docs/reference/input.md says why."""


def srgb_to_light(value: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    """sRGB's curve, coded value to light."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def light_to_srgb(light: Float32[np.ndarray, "*n"]) -> Float32[np.ndarray, "*n"]:
    """sRGB's curve, light 0 … 1 to coded value."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)


def power(gamma: float) -> Curve:
    """A pure power law."""
    return lambda value: np.asarray(value**gamma)


@dataclass(frozen=True, slots=True)
class Space:
    """An RGB colour space: three curves, then a matrix from its light to sRGB's light."""

    name: str
    curves: tuple[Curve, Curve, Curve]
    matrix: Float64[np.ndarray, "3 3"]


@dataclass(frozen=True, slots=True)
class Tag:
    """Colour as a file states it without an ICC profile; either may be absent.

    Attributes:
        space: what to convert from; None where nothing is to be converted.
        note: said where something was stated and not converted.
    """

    space: Space | None = None
    note: str | None = None


class UnsupportedColourError(ValueError):
    """A statement about colour that no 8-bit sRGB image can follow; the text says what to do."""


def rgb_to_xyz(white: Point, red: Point, green: Point, blue: Point) -> Float64[np.ndarray, "3 3"]:
    """Light of RGB to XYZ with Y = 1 for white, not adapted.

    Raises:
        ValueError: the points span no triangle.
    """
    points = np.array([(x / y, 1.0, (1 - x - y) / y) if y else (np.nan,) * 3 for x, y in (red, green, blue)]).T
    if not np.isfinite(points).all() or abs(np.linalg.det(points)) < 1e-6 or white[1] <= 0:
        raise ValueError("chromaticities that span no triangle")
    scale = np.linalg.solve(points, np.array([white[0] / white[1], 1.0, (1 - white[0] - white[1]) / white[1]]))
    if (scale <= 0).any():
        raise ValueError("a white point outside the primaries' triangle")
    return np.asarray(points * scale)


_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def adapt(source: Float64[np.ndarray, " 3"], target: Float64[np.ndarray, " 3"]) -> Float64[np.ndarray, "3 3"]:
    """Bradford's adaptation of XYZ from one white to another."""
    ratio = (_BRADFORD @ target) / (_BRADFORD @ source)
    return np.asarray(np.linalg.solve(_BRADFORD, ratio[:, None] * _BRADFORD))


_SRGB_XYZ = rgb_to_xyz(*SRGB_PRIMARIES)


def d50_to_srgb() -> Float64[np.ndarray, "3 3"]:
    """XYZ as ICC profiles state it (white D50) to sRGB's light."""
    return np.asarray(np.linalg.inv(adapt(_SRGB_XYZ.sum(1), np.array(D50)) @ _SRGB_XYZ))


def from_chromaticities(name: str, curve: Curve, points: tuple[Point, Point, Point, Point]) -> Space:
    """A space of one curve and stated primaries; raises ValueError where these span no triangle."""
    xyz = rgb_to_xyz(*points)
    matrix = np.linalg.solve(_SRGB_XYZ, adapt(xyz.sum(1), _SRGB_XYZ.sum(1)) @ xyz)
    return Space(name, (curve, curve, curve), matrix)


def from_code_points(primaries: int, transfer: int) -> Tag:
    """Colour stated by H.273's code points (cICP of PNG, nclx of AVIF).

    Raises:
        UnsupportedColourError: HDR (PQ or HLG), which has no single appearance in sRGB.
    """
    if transfer in HDR_TRANSFERS:
        raise UnsupportedColourError(
            f"an HDR image, coded with {HDR_TRANSFERS[transfer]}; how it should look in sRGB is a choice of tone "
            "mapping: map it to an 8- or 16-bit sRGB image first"
        )
    curve = {4: power(2.2), 5: power(2.8), 8: power(1.0)}.get(transfer, srgb_to_light)
    if transfer not in {1, 2, 4, 5, 6, 8, 13, 14, 15}:
        return Tag(note=f"transfer code {transfer} unknown, read as sRGB")
    if primaries not in PRIMARIES and primaries != 2:
        return Tag(note=f"primaries code {primaries} unknown, read as sRGB")
    if primaries in {1, 2} and curve is srgb_to_light:
        return Tag()
    name = PRIMARY_NAMES.get(primaries, "sRGB primaries") + {
        4: ", gamma 2.2",
        5: ", gamma 2.8",
        8: ", linear light",
    }.get(transfer, "")
    return Tag(from_chromaticities(name, curve, PRIMARIES.get(primaries, SRGB_PRIMARIES)))


SAME = 0.75
"""Levels by which a space may miss sRGB and still be it: HP's sRGB profile of 1998, embedded most, misses by 0.51."""


def is_srgb(space: Space) -> bool:
    """Whether every 8-bit colour of a lattice and of ramps comes out within `SAME` of itself."""
    ramp = np.arange(256)
    axes = [ramp[:, None] * np.array(way) for way in ((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
    lattice = np.stack(np.meshgrid(*[np.arange(0, 256, 51)] * 3), -1).reshape(-1, 3)
    colours = np.concatenate([*axes, lattice]).astype(np.uint8)
    return bool(np.abs(_levels(colours, space, _tables(space, 256)) - colours).max() <= SAME)


COARSE = 2
"""Levels of sRGB between neighbouring 8-bit greys of a space, from which on 8 bits of it are too few."""


def check_eight_bits(space: Space, bits: int) -> None:
    """Refuse to convert samples of `bits` bits that a decoder handed on as 8, where the space needs them.

    Linear light does: its first step of 8 bits is 13 levels of sRGB.

    Raises:
        UnsupportedColourError: they were cut, and neighbouring greys lie more than `COARSE` levels apart.
    """
    greys = np.repeat(np.arange(256)[:, None], 3, 1).astype(np.uint8)
    if bits > 8 and np.diff(_levels(greys, space, _tables(space, 256)), axis=0).max() > COARSE:
        raise UnsupportedColourError(
            f"{bits} bits in {space.name!r}, of which the decoder of this format hands on 8: too few for dark colours; "
            "convert it to a 16-bit PNG or TIFF"
        )


def convert(samples: UInt[np.ndarray, "h w 3"], space: Space) -> UInt8[np.ndarray, "h w 3"]:
    """8-bit sRGB of 8- or 16-bit samples; colours outside sRGB are clipped channel by channel."""
    tables = _tables(space, 256 if samples.dtype == np.uint8 else 65_536)
    out = np.empty(samples.shape, np.uint8)
    rows = max(1, 2**20 // max(1, samples.shape[1]))  # a band of about a million pixels at a time bounds memory
    for top in range(0, samples.shape[0], rows):
        out[top : top + rows] = np.rint(_levels(samples[top : top + rows], space, tables))
    return out


def _tables(space: Space, count: int) -> list[Float32[np.ndarray, " n"]]:
    codes = np.arange(count) / (count - 1)
    return [np.nan_to_num(np.clip(curve(codes), 0, 1)).astype(np.float32) for curve in space.curves]


def _levels(
    samples: UInt[np.ndarray, "*shape 3"], space: Space, tables: list[Float32[np.ndarray, " n"]]
) -> Float32[np.ndarray, "*shape 3"]:
    light = np.stack([table[samples[..., channel]] for channel, table in enumerate(tables)], -1)
    mixed = np.clip(light @ space.matrix.T.astype(np.float32), 0, 1)
    return np.asarray(light_to_srgb(mixed) * np.float32(255), np.float32)
