"""Small ICC profiles written byte by byte (ICC.1:2022): grey with a curve, and CMYK with look-up tables."""

from __future__ import annotations

import struct


def profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Header, table of tags and tags of a version 2 profile."""
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for key, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", key, offset + len(body), len(value))
        body += padded
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02100000, b"prtr", space, connection)
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


def gamma_profile() -> bytes:
    """Grey of gamma 1.8."""
    tags = {
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),
        b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, 461),
    }
    return profile(b"GRAY", b"XYZ ", tags)


def table_profile() -> bytes:
    """CMYK to Lab through an 8-bit table of two points a side: ink darkens, colour is left out."""
    identity = [65536 if row == column else 0 for row in range(3) for column in range(3)]
    ramp = bytes(range(256))
    grid = bytes(value for corner in range(16) for value in (255 - 63 * bin(corner).count("1"), 128, 128))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", *identity) + 4 * ramp + grid + 3 * ramp
    return profile(b"CMYK", b"Lab ", {b"A2B0": table})
