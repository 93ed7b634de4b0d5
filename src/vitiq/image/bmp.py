"""BMP: every depth, palette, bit mask and run-length coding of Windows and OS/2, sample by sample.

Source: Microsoft, BITMAPCOREHEADER, BITMAPINFOHEADER, BITMAPV4HEADER, BITMAPV5HEADER, "Bitmap Compression"; IBM,
OS/2 2.0 bitmap format (BITMAPINFOHEADER2, of 16 … 64 bytes). Where these leave a choice, as browsers show it: pixels
that run-length coding passes over are transparent, an alpha channel of zeros alone is none.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt, UInt8

from vitiq.image.bmp_runs import unpack_runs
from vitiq.image.depth import depth_note, stretch
from vitiq.image.header_colour import bmp_colour
from vitiq.image.limits import check_pixels
from vitiq.image.raster import Raster, UnsupportedKindError, lacking, no_alpha

_FILE_HEADER, _CORE, _SHORT, _WINDOWS, _MASKS, _ALPHA_MASK, _OS2, _V4 = 14, 12, 16, 40, 52, 56, 64, 108
_PLAIN, _RLE8, _RLE4, _BITFIELDS, _JPEG, _PNG, _ALPHA_BITFIELDS = 0, 1, 2, 3, 4, 5, 6
_UNREAD = {_JPEG: "a JPEG in it", _PNG: "a PNG in it", 11: "CMYK", 12: "CMYK", 13: "CMYK"}
_RLE24, _UNREAD_OS2 = 4, {3: "Huffman coding"}
_DEPTHS = {
    _PLAIN: (1, 2, 4, 8, 16, 24, 32),
    _RLE8: (8,),
    _RLE4: (4,),
    _BITFIELDS: (16, 32),
    _ALPHA_BITFIELDS: (16, 32),
}
_DEFAULT_MASKS = {16: (0x7C00, 0x3E0, 0x1F, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}


@dataclass(slots=True)
class _Header:
    """What stands before the pixels: `rows` is negative where the top row comes first."""

    size: int
    start: int
    columns: int
    rows: int
    bits: int
    coding: int
    masks: tuple[int, int, int, int]
    palette: UInt8[np.ndarray, "n 3"]
    notes: list[str] = field(default_factory=list)


def read_bmp(data: bytes, name: str) -> Raster:
    """The image of a BMP.

    Raises:
        InputError: too many pixels.
        UnsupportedKindError: a coding that is not read.
        ValueError: damaged.
    """
    data = data if data.startswith(b"BM") else _file_header(data) + data
    header = _header(data, name)
    raster = _by_palette(data, header) if header.bits <= 8 else _direct(data, header)
    if header.rows > 0:  # the bottom row comes first
        raster.samples = raster.samples[::-1]
        raster.alpha = None if raster.alpha is None else raster.alpha[::-1]
    raster.notes.extend(header.notes)
    raster.profile, raster.tag = bmp_colour(data)
    return raster


def _header(data: bytes, name: str) -> _Header:
    size = int.from_bytes(data[_FILE_HEADER : _FILE_HEADER + 4], "little")
    start = int.from_bytes(data[10:14], "little")
    head = data[_FILE_HEADER : _FILE_HEADER + size]
    if len(head) < size:
        raise ValueError("the file ends in its header")
    if size == _CORE:
        columns, rows, _, bits = struct.unpack("<4H", head[4:12])
    else:
        columns, rows, _, bits = struct.unpack("<iiHH", head[4:16])
    check_pixels(columns, abs(rows), name)
    coding, colours = (0, 0) if size < _WINDOWS else (_number(head, 16), _number(head, 32))
    _refuse(size, bits, coding)
    masks, used = _masks(data, size, bits, coding)
    width = 3 if size == _CORE else 4
    first = _FILE_HEADER + size + used
    palette = np.zeros((0, 3), np.uint8)
    if bits <= 8:
        fitting = (start - first) // width if start > first else 256
        count = min(colours or 256, 2**bits, fitting)
        entries = np.frombuffer(data[first : first + width * count], np.uint8)
        palette = entries[: len(entries) // width * width].reshape(-1, width)[:, 2::-1]
    return _Header(size, start, columns, rows, bits, coding, masks, palette)


def _file_header(bare: bytes) -> bytes:
    """What a bitmap lacks that comes from Windows' clipboard: its pixels follow the header, masks and palette."""
    size = _number(bare, 0)
    bits = int.from_bytes(bare[10:12] if size == _CORE else bare[14:16], "little")
    coding, colours = (_number(bare, 16), _number(bare, 32)) if size >= _WINDOWS else (_PLAIN, 0)
    masks = {_BITFIELDS: 12, _ALPHA_BITFIELDS: 16}.get(coding, 0) if size < _MASKS else 0
    entries = min(colours or 2**bits, 2**bits) if bits <= 8 else colours
    start = _FILE_HEADER + size + masks + entries * (3 if size == _CORE else 4)
    return struct.pack("<2sIHHI", b"BM", 0, 0, 0, min(start, 2**32 - 1))


def _number(head: bytes, at: int) -> int:
    return int.from_bytes(head[at : at + 4], "little")


def _refuse(size: int, bits: int, coding: int) -> None:
    if size == _OS2 and (coding, bits) == (_RLE24, 24):
        return
    unread = _UNREAD_OS2 if size == _OS2 else _UNREAD
    if coding in unread:
        raise UnsupportedKindError(f"BMP with {unread[coding]}, which vitiq cannot decode; save it as PNG")
    if coding == _PLAIN and bits == 64:
        raise UnsupportedKindError("BMP of 64 bits per pixel, which vitiq cannot decode; save it as PNG")
    if bits not in _DEPTHS.get(coding, ()):
        raise ValueError(f"{bits} bits per pixel with coding {coding} are not defined")


def _masks(data: bytes, size: int, bits: int, coding: int) -> tuple[tuple[int, int, int, int], int]:
    """Masks of red, green, blue and alpha, and how many bytes of them follow the header."""
    if coding not in {_BITFIELDS, _ALPHA_BITFIELDS}:
        red, green, blue, alpha = _DEFAULT_MASKS.get(bits, (0, 0, 0, 0))
        if bits == 32 and size >= _V4 and _number(data, _FILE_HEADER + 52) == 0xFF000000:
            alpha = 0xFF000000  # as browsers take it, though masks count with bit fields alone
        return (red, green, blue, alpha), 0
    behind = (3 if coding == _BITFIELDS else 4) if size < _MASKS else 0
    count = behind or (3 if size < _ALPHA_MASK else 4)
    at = _FILE_HEADER + _WINDOWS
    found = struct.unpack(f"<{count}I", data[at : at + 4 * count])
    red, green, blue, alpha = (*found, 0)[:4]
    return (red, green, blue, alpha), 4 * behind


def _by_palette(data: bytes, header: _Header) -> Raster:
    indices, coded = _indices(data, header)
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(header.palette)] = header.palette
    beyond = int((indices >= len(header.palette)).sum()) if len(header.palette) < 256 else 0
    if beyond:
        header.notes.append(lacking(beyond))
    return Raster(palette[indices], "rgb", coded)


def _indices(data: bytes, header: _Header) -> tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"] | None]:
    """Numbers of colours, and, where run-length coding passed over pixels, 0 for these and 255 for others."""
    size = (abs(header.rows), header.columns)
    if header.coding in {_RLE8, _RLE4}:
        nibbles = header.coding == _RLE4
        indices, coded = unpack_runs(data[header.start :], *size, nibbles=nibbles, notes=header.notes)
        return indices[:, :, 0], coded
    rows = _rows(data, header)
    if header.bits == 8:
        return rows[:, : size[1]], None
    shifts = np.arange(8 - header.bits, -1, -header.bits, dtype=np.uint8)
    parts = (rows[:, :, None] >> shifts) & np.uint8(2**header.bits - 1)
    return np.ascontiguousarray(parts.reshape(size[0], -1)[:, : size[1]]), None


def _rows(data: bytes, header: _Header) -> UInt8[np.ndarray, "h stride"]:
    """Bytes of the rows as they lie, each padded to a multiple of four; of the last one the padding may be missing."""
    used = (header.columns * header.bits + 7) // 8
    stride = (used + 3) // 4 * 4
    count = abs(header.rows)
    raw = data[header.start : header.start + stride * count]
    if header.start < _FILE_HEADER + header.size or len(raw) < stride * (count - 1) + used:
        raise ValueError(f"{len(raw)} bytes of pixels, {stride * count} are expected")
    raw = raw if len(raw) == stride * count else raw + bytes(stride * count - len(raw))
    return np.frombuffer(raw, np.uint8).reshape(count, stride)


def _direct(data: bytes, header: _Header) -> Raster:
    if header.coding == _RLE24:
        size = (abs(header.rows), header.columns)
        colours, coded = unpack_runs(data[header.start :], *size, step=3, notes=header.notes)
        return Raster(colours[:, :, ::-1], "rgb", coded)
    rows = _rows(data, header)
    if header.bits == 24:
        return Raster(rows[:, : 3 * header.columns].reshape(len(rows), -1, 3)[:, :, ::-1], "rgb")
    words = rows.view(f"<u{header.bits // 8}")[:, : header.columns]
    depths = [mask.bit_count() for mask in header.masks]
    if not any(depths[:3]):
        raise ValueError("masks without a bit of colour")
    kind = np.uint8 if max(depths) <= 8 else np.uint16
    samples = np.zeros((*words.shape, 3), kind)
    for channel, mask in enumerate(header.masks[:3]):
        if mask:
            samples[:, :, channel] = _channel(words, mask, kind)
    if kind == np.uint16:
        header.notes.append(depth_note(max(depths)))
    raster = Raster(samples, "rgb", _channel(words, header.masks[3], kind) if header.masks[3] else None)
    no_alpha(raster)
    return raster


def _channel(
    words: UInt[np.ndarray, "h w"], mask: int, kind: type[np.uint8] | type[np.uint16]
) -> UInt[np.ndarray, "h w"]:
    """One channel over the whole range of its type."""
    shift = (mask & -mask).bit_length() - 1
    depth = mask.bit_count()
    if mask >> shift != 2**depth - 1:
        raise ValueError(f"a bit mask with gaps ({mask:#x})")
    values = (words & mask) >> shift
    if depth > 16:  # more than any result keeps
        values, depth = values >> (depth - 16), 16
    levels = stretch(np.arange(2**depth, dtype=np.uint32), depth)
    if levels.dtype != kind:
        levels = (levels.astype(np.uint16) * 257).astype(kind)
    return np.asarray(levels[values])
