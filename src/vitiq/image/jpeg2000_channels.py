"""Channels of a JPEG 2000 file in an order of its own, as its box `cdef` states it: Pillow takes them as they come.

Source: ISO/IEC 15444-1, I.5.3.6 (channel definition), I.5.3.3 (sYCC: IEC 61966-2-1, amendment 1, full range).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from vitiq.image.boxes import Jp2Header, boxes
from vitiq.image.raster import Raster, UnsupportedKindError, divide_out

_COLOUR, _OPACITY, _PREMULTIPLIED = 0, 1, 2
_SRGB, _SYCC, _RGB_MODEL = 16, 18, 3


def order(header: Jp2Header) -> tuple[int, ...] | None:
    """Numbers of the channels as grey or RGB, then alpha, where they lie otherwise than Pillow takes them; else None.

    Raises:
        ValueError: a definition that names no or unknown channels.
    """
    count = len(header.bits)
    own = [(colour, number) for number, kind, colour in header.channels if kind == _COLOUR]
    colours = {1: own[0][1]} if len(own) == 1 else {colour: number for colour, number in own if colour}
    alpha = [number for number, kind, _ in header.channels if kind in {_OPACITY, _PREMULTIPLIED}]
    if not header.channels or count > _RGB_MODEL + 1 or header.space not in {None, _SRGB, 17, _SYCC}:
        return None
    wanted = [colours[key] for key in sorted(colours)] + alpha[:1]
    if len(colours) not in {1, _RGB_MODEL} or not set(wanted) <= set(range(count)):
        raise ValueError("a definition of channels that it does not have")
    premultiplied = any(kind == _PREMULTIPLIED for _, kind, _ in header.channels)
    return None if wanted == list(range(count)) and not premultiplied else tuple(wanted)


def by_palette(
    indices: UInt8[np.ndarray, "h w"], data: bytes
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"] | None]:
    """Colour, and alpha where it is defined, of an image with a palette of 8-bit colours (boxes pclr, cmap, cdef).

    Pillow numbers the colours of a palette anew where one is there twice, and passes over the other two boxes.

    Raises:
        UnsupportedKindError: a palette of other depths, or of other channels than grey or RGB, with or without alpha.
        ValueError: damaged, or an index that the palette lacks.
    """
    parts = {kind: data[a:b] for kind, a, b in _header_boxes(data)}
    pack = parts[b"pclr"]
    count, columns = int.from_bytes(pack[:2], "big"), pack[2]
    if set(pack[3 : 3 + columns]) != {7}:
        raise UnsupportedKindError(
            "JPEG 2000 with a palette of other than 8 bits, which vitiq cannot decode; save it as PNG"
        )
    table = np.frombuffer(pack[3 + columns : 3 + columns + count * columns], np.uint8).reshape(count, columns)
    mapped = [entry[3] for entry in _entries(parts.get(b"cmap", b""), 4)] or list(range(columns))
    defined = [struct.unpack(">HHH", entry) for entry in _entries(parts.get(b"cdef", b"")[2:], 6)]
    colours = {colour: number for number, kind, colour in defined if kind == _COLOUR and colour}
    wanted = [colours[key] for key in sorted(colours)] or list(range(len(mapped)))
    clear = [number for number, kind, _ in defined if kind == _OPACITY]
    if len(wanted) not in {1, _RGB_MODEL} or max(*wanted, *clear, 0) >= len(mapped) or max(mapped) >= columns:
        raise UnsupportedKindError(
            f"JPEG 2000 with a palette of {columns} channels, which vitiq cannot decode; save it as PNG"
        )
    if indices.max(initial=0) >= count:
        raise ValueError("an index of a colour that its palette lacks")
    chosen = [mapped[number] for number in (wanted if len(wanted) == _RGB_MODEL else wanted * 3)]
    return table[:, chosen][indices], table[:, mapped[clear[0]]][indices] if clear else None


def _header_boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    for kind, a, b in boxes(data):
        if kind == b"jp2h":
            yield from boxes(data, a, b)


def _entries(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content) // size * size, size)]


def as_rgb(data: bytes) -> bytes:
    """The file with sYCC declared to be sRGB, so that its channels come as they are."""
    at = data.find(b"colr\x01")
    if at < 0 or data[at + 7 : at + 11] != _SYCC.to_bytes(4, "big"):
        return data
    return data[: at + 7] + _SRGB.to_bytes(4, "big") + data[at + 11 :]


def arrange(raster: Raster, header: Jp2Header, wanted: tuple[int, ...]) -> None:
    """Put the channels in order, bring sYCC to RGB, and divide premultiplied alpha out."""
    parts = [raster.samples[:, :, at] for at in range(raster.samples.shape[2])]
    parts += [] if raster.alpha is None else [raster.alpha]
    if max(wanted) >= len(parts):
        raise ValueError(f"{len(parts)} channels decoded, more are defined")
    if len(parts) > len(wanted):
        raster.notes.append("extra channel ignored")
    chosen = np.stack([parts[number] for number in wanted], axis=2)
    colours = 1 if chosen.shape[2] < _RGB_MODEL else _RGB_MODEL
    raster.samples, raster.model = chosen[:, :, :colours], "grey" if colours == 1 else "rgb"
    raster.alpha = chosen[:, :, colours] if chosen.shape[2] > colours else None
    if header.space == _SYCC and colours == _RGB_MODEL:
        raster.samples = _from_sycc(raster.samples)
    if any(kind == _PREMULTIPLIED for _, kind, _ in header.channels):
        divide_out(raster)


def _from_sycc(samples: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    out = np.empty_like(samples)
    for row in range(len(samples)):  # row by row: it takes eight times the memory
        luma, blue, red = (samples[row, :, at].astype(np.float64) for at in range(3))
        blue, red = blue - 128, red - 128
        parts = (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue)
        out[row] = np.clip(np.rint(np.stack(parts, axis=1)), 0, 255)
    return out
