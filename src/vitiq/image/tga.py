"""TGA: palettes, 15 to 32 bits and grey, packed or not, from any corner.

Source: Truevision TGA File Format Specification 2.0. Where it leaves a choice, as other readers show it: of 32 bits
the fourth byte is alpha, unless the extension area says that it is none or it is zero throughout; the odd bit of 16
is alpha only where the extension area says so.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from vitiq.image.depth import stretch
from vitiq.image.header_colour import tga_gamma
from vitiq.image.limits import check_pixels
from vitiq.image.raster import Raster, UnsupportedKindError, divide_out, lacking, no_alpha

_HEADER = "<BBBHHBHHHHBB"
_PALETTE, _COLOUR, _GREY, _PACKED = 1, 2, 3, 8
_DEPTHS = {_PALETTE: {8, 16}, _COLOUR: {15, 16, 24, 32}, _GREY: {8, 16}}
_FROM_RIGHT, _FROM_TOP, _INTERLEAVED = 0x10, 0x20, 0xC0
_ATTRIBUTES = 494
_NONE, _IGNORED, _USEFUL, _PREMULTIPLIED = 0, 1, 3, 4
"""Kinds of the fourth byte that the extension area states (C.6.1, field 24)."""


@dataclass(frozen=True, slots=True)
class _Header:
    kind: int
    packed: bool
    columns: int
    rows: int
    depth: int
    flags: int
    first: int
    entries: int
    entry_bits: int
    map_start: int

    @property
    def start(self) -> int:
        return self.map_start + self.entries * _bytes(self.entry_bits)


def read_tga(data: bytes, name: str) -> Raster:
    """The image of a TGA.

    Raises:
        InputError: too many pixels.
        UnsupportedKindError: 16-bit grey without alpha, interleaved rows.
        ValueError: damaged.
    """
    header = _header(data, name)
    stated = _stated_alpha(data)
    pixels = _pixels(data[header.start :], header)
    if header.kind == _PALETTE:
        raster = _by_palette(data, pixels, header, stated)
    elif header.kind == _GREY:
        raster = Raster(pixels[:, :, :1], "grey", pixels[:, :, 1] if header.depth == 16 else None)
    else:
        raster = _colours(pixels, header.depth, stated)
    if stated == _PREMULTIPLIED:
        divide_out(raster)
    no_alpha(raster)
    ways = (
        slice(None, None, 1 if header.flags & _FROM_TOP else -1),
        slice(None, None, -1 if header.flags & _FROM_RIGHT else 1),
    )
    raster.samples = raster.samples[ways]
    raster.alpha = None if raster.alpha is None else raster.alpha[ways]
    gamma = tga_gamma(data)
    if gamma is not None:
        raster.notes.append(f"TGA's gamma of {gamma:g} ignored, read as sRGB")
    return raster


def _header(data: bytes, name: str) -> _Header:
    if len(data) < struct.calcsize(_HEADER):
        raise ValueError("the file ends in its header")
    name_bytes, mapped, kind, first, entries, bits, _, _, columns, rows, depth, flags = struct.unpack_from(
        _HEADER, data
    )
    check_pixels(columns, rows, name)
    if depth not in _DEPTHS.get(kind & ~_PACKED, ()):
        raise ValueError(f"image type {kind} with {depth} bits per pixel is not defined")
    if flags & _INTERLEAVED:
        raise UnsupportedKindError("TGA of interleaved rows, which vitiq cannot decode; save it as PNG")
    if kind & ~_PACKED == _GREY and depth == 16 and not flags & 0x0F:
        raise UnsupportedKindError("TGA of 16-bit grey, which vitiq cannot decode; save it as PNG")
    at = struct.calcsize(_HEADER) + name_bytes
    entries = entries if mapped else 0
    return _Header(kind & ~_PACKED, bool(kind & _PACKED), columns, rows, depth, flags, first, entries, bits, at)


def _bytes(bits: int) -> int:
    return (bits + 7) // 8


def _stated_alpha(data: bytes) -> int | None:
    """What the extension area says of alpha; None where there is no such area."""
    start = int.from_bytes(data[-26:-22], "little")
    if data[-18:-2] != b"TRUEVISION-XFILE" or not start or start + _ATTRIBUTES >= len(data):
        return None
    return data[start + _ATTRIBUTES]


def _pixels(raw: bytes, header: _Header) -> UInt8[np.ndarray, "h w bytes"]:
    size = _bytes(header.depth)
    count = header.rows * header.columns
    raw = _unpacked(raw, count, size) if header.packed else raw[: count * size]
    if len(raw) < count * size:
        raise ValueError(f"{len(raw)} bytes of pixels, {count * size} are expected")
    return np.frombuffer(raw, np.uint8, count * size).reshape(header.rows, header.columns, size)


def _unpacked(raw: bytes, count: int, size: int) -> bytes:
    """Packets of 1 … 128 pixels, repeated or as they are, which may go on in the next row."""
    if count > 128 * len(raw):
        raise ValueError(f"{len(raw)} bytes of pixel data are too few for {count} pixels")
    out = bytearray()
    at, wanted = 0, count * size
    while len(out) < wanted and at < len(raw):
        head, length = raw[at], (raw[at] & 127) + 1
        at += 1
        used = size if head & 128 else length * size
        part = raw[at : at + used]
        if len(part) < used:
            break
        out += part * length if head & 128 else part
        at += used
    return bytes(out)


def _by_palette(data: bytes, pixels: UInt8[np.ndarray, "h w bytes"], header: _Header, stated: int | None) -> Raster:
    raw = data[header.map_start : header.start]
    if not header.entries or header.entry_bits not in {8, 15, 16, 24, 32} or len(raw) < header.start - header.map_start:
        raise ValueError(f"a palette of {header.entries} colours of {header.entry_bits} bits")
    entries = np.frombuffer(raw, np.uint8).reshape(1, header.entries, -1)
    palette = (
        Raster(np.repeat(entries, 3, axis=2), "rgb")
        if header.entry_bits == 8
        else _colours(entries, header.entry_bits, stated)
    )
    indices = pixels[:, :, 0].astype(np.int32)
    if header.depth == 16:
        indices |= pixels[:, :, 1].astype(np.int32) << 8
    indices -= header.first
    beyond = (indices < 0) | (indices >= header.entries)
    indices[beyond] = 0
    samples = palette.samples[0][indices]
    samples[beyond] = 0
    raster = Raster(samples, "rgb", None if palette.alpha is None else palette.alpha[0][indices])
    if beyond.any():
        raster.notes.append(lacking(int(beyond.sum())))
    return raster


def _colours(pixels: UInt8[np.ndarray, "h w bytes"], depth: int, stated: int | None) -> Raster:
    if depth >= 24:
        alpha = pixels[:, :, 3] if depth == 32 and stated not in {_NONE, _IGNORED} else None
        return Raster(pixels[:, :, 2::-1], "rgb", alpha)
    words = np.ascontiguousarray(pixels).view("<u2")[:, :, 0]
    levels = stretch(np.arange(32, dtype=np.uint16), 5)
    samples = np.stack([levels[words >> shift & 31] for shift in (10, 5, 0)], axis=2)
    useful = depth == 16 and stated in {_USEFUL, _PREMULTIPLIED}
    return Raster(samples, "rgb", (words >> 15).astype(np.uint8) * np.uint8(255) if useful else None)
