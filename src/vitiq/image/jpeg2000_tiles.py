"""Parts of tiles, which a JPEG 2000 codestream is made of: missing ones are noticed, errors in their structure mended.

OpenJPEG leaves tiles that are not there black, without a word. Of the errors that are mended its own programs pass
over, but it cannot where it reads tile by tile and may not seek, as for Pillow: more parts of a tile than their headers
count, and no end-of-codestream marker behind the last part.

Source: ISO/IEC 15444-1, A.4.2 (SOT: Isot, Psot, TPsot, TNsot; a TNsot of 0 leaves the number of parts open), A.4.4
(EOC), A.5.1 (SIZ: sizes of image and tiles), I.4 (boxes).
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from vitiq.image.boxes import boxes
from vitiq.image.limits import MAX_CHUNKS

MENDED = "errors in the structure of the JPEG 2000 mended"
_SOC_SIZ, _SOT, _EOC = b"\xff\x4f\xff\x51", b"\xff\x90", b"\xff\xd9"
_SOT_BYTES = 12
_MOST_TILES = 65_535
_COUNT_AT = 11
"""Where in a tile-part's header the number of parts of its tile lies."""


@dataclass(frozen=True, slots=True)
class _Part:
    at: int
    tile: int
    number: int
    count: int


@dataclass(frozen=True, slots=True)
class _Codestream:
    """Where the codestream begins and ends, the parts of its tiles, and where the last of them ends."""

    start: int
    end: int
    parts: list[_Part]
    last: int


def mended(data: bytes) -> bytes | None:
    """The file with the errors in its structure corrected; None if it has none that leave the pixels in no doubt.

    Raises:
        ValueError: tiles, or parts of tiles, are missing.
    """
    stream = _codestream(data)
    if stream is None:
        return None
    miscounted = any(0 < part.count <= part.number for part in stream.parts)
    _check_whole(data, stream, miscounted=miscounted)
    unended = stream.last == stream.end
    if not (miscounted or unended):
        return None
    out = bytearray(data)
    for part in stream.parts if miscounted else ():
        out[part.at + _COUNT_AT] = 0
    if unended:
        out[stream.end : stream.end] = _EOC
        _lengthen(out, data, stream.end)
    return bytes(out)


def _codestream(data: bytes) -> _Codestream | None:
    """None where there is none, or where one of its parts is cut short, which OpenJPEG notices itself."""
    start = data.find(_SOC_SIZ)
    if start < 0:
        return None
    boxed = data[4:8] == b"jP  "
    end = next((b for _, a, b in boxes(data) if boxed and a == start), None)
    enclosed = end is not None and data[start - 8 : start - 4] != bytes(4)  # so that it has not been cut
    end = len(data) if end is None else end
    parts: list[_Part] = []
    at = _first_part(data, start, end)
    while at + _SOT_BYTES <= end and data[at : at + 2] == _SOT and len(parts) < MAX_CHUNKS:
        tile, length, number, count = struct.unpack(">HIBB", data[at + 4 : at + _SOT_BYTES])
        parts.append(_Part(at, tile, number, count))
        if length == 0:  # it reaches to the end of the codestream
            if data[end - 2 : end] != _EOC and not enclosed:
                raise ValueError("it may be cut short: neither its end nor the length of its last part is marked")
            at = end - 2 if data[end - 2 : end] == _EOC else end
            break
        if length < _SOT_BYTES or at + length > end:
            return None
        at += length
    return _Codestream(start, end, parts, at)


def _first_part(data: bytes, start: int, end: int) -> int:
    """Behind the marker segments of the main header."""
    at = start + 2
    while at + 4 <= end and data[at] == 0xFF and data[at : at + 2] != _SOT:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at


def _check_whole(data: bytes, stream: _Codestream, *, miscounted: bool) -> None:
    expected = _tiles(data[stream.start + 8 :])
    found = Counter(part.tile for part in stream.parts)
    if len(found) < expected:
        raise ValueError(f"{expected - len(found)} of {expected} tiles are missing")
    if not miscounted and any(found[part.tile] < part.count for part in stream.parts):
        raise ValueError("parts of a tile are missing")


def _tiles(size: bytes) -> int:
    """How many tiles hold samples, of the component that has most; an encoder may leave out the others."""
    right, bottom, x, y, wide, high, left, top, count = struct.unpack(">8IH", size[:34])
    if not wide or not high or -(-(right - left) // wide) * -(-(bottom - top) // high) > _MOST_TILES:
        raise ValueError(f"tiles without a size, or more than {_MOST_TILES}")
    steps = zip(size[35 : 34 + 3 * count : 3], size[36 : 34 + 3 * count : 3], strict=False)
    return max((_filled(x, right, left, wide, dx) * _filled(y, bottom, top, high, dy) for dx, dy in steps), default=1)


def _filled(first: int, end: int, origin: int, length: int, step: int) -> int:
    """Columns of tiles in which a component with a sample every `step` columns has any (15444-1, B.3)."""
    edges = [max(at, first) for at in range(origin, end, length)] + [end]
    columns = [-(-edge // max(1, step)) for edge in edges]
    return sum(after > before for before, after in pairwise(columns))


def _lengthen(out: bytearray, data: bytes, end: int) -> None:
    """Count the marker to the box of the codestream, where that has a length."""
    for kind, start, stop in boxes(data) if data[4:8] == b"jP  " else ():
        if kind == b"jp2c" and stop == end:
            wide = data[start - 16 : start - 8] == b"\0\0\0\1jp2c"
            size = slice(start - 8, start if wide else start - 4)
            length = int.from_bytes(data[size], "big")
            if length:
                out[size] = (length + len(_EOC)).to_bytes(size.stop - size.start, "big")
            return
