"""What AVIF and JPEG 2000 files say about colour and depth in their boxes and codestream headers.

Source: ISO/IEC 14496-12 (boxes), 23008-12 (item properties: colr, pixi, tmap), 15444-1 annexes A.5 (SIZ) and I.5 (JP2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vitiq.image.colour_space import Tag, from_code_points
from vitiq.image.limits import MAX_CHUNKS, MAX_PROFILE_BYTES


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of the content of each box; stops quietly where the lengths no longer fit."""
    end = len(data) if end is None else min(end, len(data))
    for _ in range(MAX_CHUNKS):
        if start + 8 > end:
            return
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        stop = end if length == 0 else start + length
        if stop > end or stop < start + head:
            return
        yield kind, start + head, stop
        start = stop


@dataclass(frozen=True, slots=True)
class AvifColour:
    """Colour of the primary item of an AVIF file; `stated` where it has code points or a profile.

    `crop` is the clean aperture as the file has it: width, height and the distances of its centre from the image's,
    each as numerator and denominator.
    """

    tag: Tag | None
    gain_map: bool
    bits: int
    stated: bool = False
    crop: tuple[int, ...] = ()


def avif_colour(data: bytes) -> AvifColour:
    """nclx colour, depth, and whether there is a gain map; raises UnsupportedColourError for PQ and HLG."""
    meta = next(((a, b) for kind, a, b in boxes(data) if kind == b"meta"), None)
    if meta is None:
        return AvifColour(None, False, 8)
    parts = {kind: (a, b) for kind, a, b in boxes(data, meta[0] + 4, meta[1])}
    primary = _primary(data, *parts[b"pitm"]) if b"pitm" in parts else 0
    if b"iprp" not in parts:
        return AvifColour(None, False, 8)
    wanted = _properties(data, primary, *parts[b"iprp"])
    codes = next((data[a + 4 : b] for kind, a, b in wanted if kind == b"colr" and data[a : a + 4] == b"nclx"), b"")
    profiled = any(kind == b"colr" and data[a : a + 4] in {b"prof", b"rICC"} for kind, a, b in wanted)
    bits = next((data[a + 5] for kind, a, b in wanted if kind == b"pixi" and b - a > 5), 8)
    tag = from_code_points(*struct.unpack(">HH", codes[:4])) if len(codes) >= 6 and not profiled else None
    items = parts.get(b"iinf", (0, 0))
    crop = next((struct.unpack(">4IiIiI", data[a:b]) for k, a, b in wanted if k == b"clap" and b - a == 32), ())
    return AvifColour(tag, b"tmap" in data[items[0] : items[1]], bits, stated=bool(codes) or profiled, crop=crop)


def _primary(data: bytes, start: int, end: int) -> int:
    width = 4 if data[start : start + 1] != b"\0" else 2
    return int.from_bytes(data[start + 4 : min(start + 4 + width, end)], "big")


def _properties(data: bytes, item: int, start: int, end: int) -> list[tuple[bytes, int, int]]:
    """The properties associated with an item; all of them where the association cannot be read."""
    found: list[tuple[bytes, int, int]] = []
    association: tuple[int, int] | None = None
    for kind, a, b in boxes(data, start, end):
        if kind == b"ipco":
            found = list(boxes(data, a, b))
        elif kind == b"ipma":
            association = (a, b)
    if association is None:
        return found
    wanted = _associated(data[association[0] : association[1]], item)
    return [found[index - 1] for index in wanted if 0 < index <= len(found)] if wanted else found


def _associated(data: bytes, item: int) -> list[int]:
    if len(data) < 8:
        return []
    wide_item, wide_index = data[0] >= 1, bool(data[3] & 1)
    position, count = 8, int.from_bytes(data[4:8], "big")
    for _ in range(min(count, MAX_CHUNKS)):
        width = 4 if wide_item else 2
        if position + width >= len(data):
            return []
        found = int.from_bytes(data[position : position + width], "big")
        number = data[position + width]
        position += width + 1
        step = 2 if wide_index else 1
        raw = data[position : position + number * step]
        position += number * step
        if found == item:
            mask = 0x7FFF if wide_index else 0x7F
            return [int.from_bytes(raw[i : i + step], "big") & mask for i in range(0, len(raw), step)]
    return []


_CINEMA = {3, 4}
"""Rsiz of the profiles of digital cinema, 2K and 4K (15444-1, table A.10), whose samples are X'Y'Z'."""


@dataclass(frozen=True, slots=True)
class Jp2Header:
    """What a JPEG 2000 file says before its pixels.

    Attributes:
        bits: of each component.
        signed: whether any component is.
        profile: ICC profile.
        space: number of its colour space.
        size: width and height.
        subsampled: whether a component has fewer samples than the image has pixels.
        uneven: whether a tile's edge lies between samples of such a component.
        channels: number, kind and colour of each channel, as the box `cdef` has them; none where it is not there, or
            where a palette makes the channels.
        palette: whether its samples are numbers of a palette's colours.
        cinema: whether the codestream is of a profile of digital cinema.
    """

    bits: tuple[int, ...]
    signed: bool
    profile: bytes | None
    space: int | None = None
    size: tuple[int, int] = (0, 0)
    subsampled: bool = False
    uneven: bool = False
    channels: tuple[tuple[int, int, int], ...] = ()
    cinema: bool = False
    palette: bool = False


def jp2_header(data: bytes) -> Jp2Header:
    """Depths from the codestream, profile from the file's header box; raises ValueError where there is none."""
    start = data.find(b"\xff\x4f\xff\x51")
    size = data[start + 4 : start + 4 + 38]
    count = int.from_bytes(size[36:38], "big")
    parts = data[start + 42 : start + 42 + 3 * count]
    depths, steps = parts[::3], parts[1::3] + parts[2::3]
    if start < 0 or not count or len(depths) != count:
        raise ValueError("no codestream header")
    profile, space, palette = None, None, False
    channels: tuple[tuple[int, int, int], ...] = ()
    for kind, a, b in boxes(data) if data[4:8] == b"jP  " else ():
        if kind == b"jp2h":
            for inner, c, d in boxes(data, a, b):
                if inner == b"colr" and data[c : c + 1] in {b"\2", b"\3"} and d - c - 3 <= MAX_PROFILE_BYTES:
                    profile = data[c + 3 : d]
                elif inner == b"colr" and data[c : c + 1] == b"\1" and space is None:
                    space = int.from_bytes(data[c + 3 : c + 7], "big")
                elif inner == b"cdef":
                    whole = c + 2 + (d - c - 2) // 6 * 6
                    channels = tuple(struct.iter_unpack(">HHH", data[c + 2 : whole]))
                palette |= inner == b"pclr"
    signed = any(depth & 128 for depth in depths)
    right, bottom, left, top = struct.unpack(">IIII", size[4:20])
    extent = (right - left, bottom - top)
    bits = tuple((depth & 127) + 1 for depth in depths)
    return Jp2Header(
        bits,
        signed,
        profile,
        space,
        extent,
        subsampled=any(step != 1 for step in steps),
        uneven=_uneven(struct.unpack(">8I", size[4:36]), set(parts[1::3]), set(parts[2::3])),
        channels=() if palette else channels,
        cinema=int.from_bytes(size[2:4], "big") in _CINEMA,
        palette=palette,
    )


def _uneven(edges: tuple[int, ...], across: set[int], down: set[int]) -> bool:
    """Whether an edge of the image or of a tile is no multiple of a component's step; `edges` as SIZ has them."""
    for axis, steps in ((0, across), (1, down)):
        end, start, length, origin = edges[axis::2]
        inner = (origin, length) if origin + length < end else ()
        if any(edge % max(1, step) for edge in (start, end, *inner) for step in steps):
            return True
    return False
