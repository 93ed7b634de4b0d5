"""Colour that BMP, GIF and TGA files state in their headers and extensions, which Pillow does not look at; GIF frames.

Source: Microsoft, BITMAPV4HEADER, BITMAPV5HEADER and LOGCOLORSPACE (endpoints are XYZ in 2.30 fixed point, gammas in
16.16; a profile lies bV5ProfileData bytes behind the beginning of the header); ICC.1:2022, B.5 (profiles in GIF);
Truevision TGA 2.0, C.6.1 (gamma value of the extension area).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice

from vitiq.image.colour_space import SRGB_PRIMARIES, Point, Tag, from_chromaticities, is_srgb, power
from vitiq.image.limits import MAX_FRAMES, MAX_PROFILE_BYTES

_FILE_HEADER = 14
_V4, _V5 = 108, 124
_GIF_IMAGE, _GIF_EXTENSION = 0x2C, 0x21
_GIF_PROFILE = b"\x21\xff\x0bICCRGBG1012"
_CALIBRATED, _EMBEDDED, _LINKED = 0, 0x4D424544, 0x4C494E4B
_ROUNDED = 0.01
IGNORED = "unusable colour endpoints of the BMP header ignored"
LINKED = "colour profile in another file ignored, read as sRGB"


def bmp_colour(data: bytes) -> tuple[bytes | None, Tag | None]:
    """ICC profile, and colour stated otherwise, of a BMP; None for what it does not state."""
    size = int.from_bytes(data[_FILE_HEADER : _FILE_HEADER + 4], "little")
    head = data[_FILE_HEADER : _FILE_HEADER + size]
    if size < _V4 or len(head) < size:
        return None, None
    kind = int.from_bytes(head[56:60], "little")
    if kind == _CALIBRATED:
        return None, _calibrated(head)
    if size < _V5 or kind not in {_EMBEDDED, _LINKED}:
        return None, None
    start, length = struct.unpack("<II", head[112:120])
    if kind == _LINKED:
        return None, Tag(note=LINKED)
    profile = data[_FILE_HEADER + start : _FILE_HEADER + start + length]
    return (profile if len(profile) == length <= MAX_PROFILE_BYTES else b""), None


def gif_profile(data: bytes) -> bytes | None:
    """ICC profile of the application extension of a GIF; None where there is none."""
    at = data.find(_GIF_PROFILE)
    if at < 0:
        return None
    at += len(_GIF_PROFILE)
    profile = bytearray()
    while at < len(data) and data[at] and len(profile) <= MAX_PROFILE_BYTES:
        profile += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return bytes(profile)


def count_gif_frames(data: bytes) -> int:
    """Frames of a GIF, at most one more than `MAX_FRAMES`; Pillow would decode each to count it.

    Source: GIF89a, sections 18 (header), 20 (image descriptor), 23 … 26 (extensions), 15 (sub-blocks).
    """
    return sum(1 for _ in islice(_gif_frames(data), MAX_FRAMES + 1))


def gif_first_frame(data: bytes) -> tuple[int, int, int, int]:
    """Left, top, width and height of the first frame of a GIF, which may cover a part of its canvas alone."""
    at = next(_gif_frames(data), None)
    if at is None or at + 9 > len(data):
        return 0, 0, 0xFFFF, 0xFFFF
    left, top, wide, high = struct.unpack("<4H", data[at + 1 : at + 9])
    return left, top, wide, high


def _gif_frames(data: bytes) -> Iterator[int]:
    """Where the descriptors of its frames begin."""
    at = 13 + _gif_table(data[10:11])
    while at < len(data):
        if data[at] == _GIF_IMAGE:
            yield at
            at += 11 + _gif_table(data[at + 9 : at + 10])  # the descriptor, and the length of the first code
        elif data[at] == _GIF_EXTENSION:
            at += 2
        else:
            break
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1


def _gif_table(flags: bytes) -> int:
    """Bytes of the colour table that a packed byte announces."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def tga_gamma(data: bytes) -> float | None:
    """Gamma that the extension area of a TGA states; None where it states none, 1, or about that of sRGB's curve."""
    start = int.from_bytes(data[-26:-22], "little")
    if data[-18:-2] != b"TRUEVISION-XFILE" or not start or start + 482 > len(data):
        return None
    above, below = struct.unpack("<HH", data[start + 478 : start + 482])
    gamma = above / below if below else 1.0
    return None if gamma == 1 or 2.1 <= gamma <= 2.5 else gamma


def _calibrated(head: bytes) -> Tag | None:
    """The space of the endpoints and gammas; None where they are left zero, as most writers do."""
    points = struct.unpack("<9I", head[60:96])
    gammas = [value / 65_536 for value in struct.unpack("<3I", head[96:108])]
    gammas = [1 / gamma if 0 < gamma < 1 else gamma for gamma in gammas]  # of encoding, as bmpsuite 2.5 states it
    if not any(points) or not any(gammas):
        return None
    try:
        red, green, blue = (_chromaticity(points[at : at + 3]) for at in (0, 3, 6))
        scaled = all(abs(sum(points[at : at + 3]) / 2**30 - 1) < _ROUNDED for at in (0, 3, 6))
        # Light that sums to 1 in each colour is no light but chromaticities, as most writers state them; then the
        # white point is not stated, and is that of sRGB, as Firefox takes it.
        white = SRGB_PRIMARIES[0] if scaled else _chromaticity([sum(points[axis::3]) for axis in range(3)])
        if not all(0.1 <= gamma <= 10 for gamma in gammas):
            return Tag(note=IGNORED)
        space = from_chromaticities("the endpoints of its BMP header", power(gammas[0]), (white, red, green, blue))
    except (ValueError, ZeroDivisionError):
        return Tag(note=IGNORED)
    space = type(space)(space.name, (power(gammas[0]), power(gammas[1]), power(gammas[2])), space.matrix)
    return None if is_srgb(space) else Tag(space)


def _chromaticity(xyz: tuple[int, ...] | list[int]) -> Point:
    return xyz[0] / sum(xyz), xyz[1] / sum(xyz)
