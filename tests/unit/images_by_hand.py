"""Image files written byte by byte from the standards, so that a test does not rest on a library's habits."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(samples: np.ndarray, *extra: bytes) -> bytes:
    """A PNG written by hand: grey, grey with alpha, RGB or RGBA of 8 or 16 bits, unfiltered."""
    height, width, channels = samples.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, samples.dtype.itemsize * 8, kind, 0, 0, 0)
    big = samples.astype(samples.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + big[y].tobytes() for y in range(height))
    parts = chunk(b"IHDR", head), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(tags: Mapping[int, tuple[str, tuple[int, ...]]], strip: bytes) -> bytes:
    """A little-endian TIFF of one strip. Tags: number -> struct letter (H or I) and values; offsets are added."""
    all_tags = {**tags, 273: ("I", (0,)), 279: ("I", (len(strip),))}
    start = 8 + 2 + 12 * len(all_tags) + 4
    long = {
        tag: struct.pack(f"<{len(v)}{k}", *v) for tag, (k, v) in all_tags.items() if struct.calcsize(k) * len(v) > 4
    }
    offset = start
    entries = b""
    for tag, (kind, values) in sorted(all_tags.items()):
        content = struct.pack(f"<{len(values)}{kind}", *values)
        if tag == 273:
            content = struct.pack("<I", start + sum(map(len, long.values())))
        if tag in long:
            content, offset = struct.pack("<I", offset), offset + len(long[tag])
        entries += struct.pack("<HHI", tag, {"H": 3, "I": 4}[kind], len(values)) + content.ljust(4, b"\0")
    body = b"".join(long[tag] for tag in sorted(long))
    return b"II*\0" + struct.pack("<IH", 8, len(all_tags)) + entries + bytes(4) + body + strip
