"""Ways to damage a file: blindly, or by its structure, with lengths and checksums mended so that readers go deeper.

Every mutation is a function of a `random.Random` and the seed files, so a file is named by its seed and number alone.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence

Mutator = Callable[[random.Random, bytes], bytes]

ODD = (
    0,
    1,
    2,
    7,
    8,
    127,
    128,
    255,
    256,
    32_767,
    32_768,
    65_535,
    65_536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**64 - 1,
)
NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0",
    "99999999999999999999",
    "1e-320",
    "",
    "true",
    "[]",
    "'x'",
    '"\\u0000"',
    "٣",
    "0x10",
)
LARGE = ("9" * 5000, "[" * 5000, '{"a":' * 5000, "x" * 140_000)
"""What parsers of text bound: digits, depth, cells. One in fifty, since each costs as much as a hundred others."""


def blind(rng: random.Random, data: bytes) -> bytes:
    """One to four blind changes: bits, bytes, numbers, blocks, the end."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not out:
            return bytes(out)
        at = rng.randrange(len(out))
        kind = rng.randrange(8)
        if kind <= 1:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            out[at] = rng.randrange(256)
        elif kind == 3:
            width = rng.choice((1, 2, 4, 8))
            value = rng.choice(ODD) % 256**width
            out[at : at + width] = value.to_bytes(width, rng.choice(("big", "little")))
        elif kind == 4:
            del out[at : at + rng.choice((1, 2, 4, 16, 64))]
        elif kind == 5:
            out[at:at] = out[at : at + rng.choice((1, 4, 16, 64))]
        elif kind == 6:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16)))
        else:
            del out[at:]
    return bytes(out)


def viq(rng: random.Random, data: bytes) -> bytes:
    """A .viq file whose body is damaged and whose CRC-32 is mended."""
    body = data[:5] + blind(rng, data[5:-4]) if rng.random() < 0.9 else blind(rng, data[:-4])
    return body + zlib.crc32(body).to_bytes(4, "big")


def png(rng: random.Random, data: bytes) -> bytes:
    """Chunks damaged, doubled, dropped, reordered or renamed; checksums mended; pixel data sometimes packed anew."""
    parts: list[tuple[bytes, bytes]] = []
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    index = rng.randrange(len(parts))
    kind, content = parts[index]
    way = rng.randrange(7)
    if way <= 2:
        if kind == b"IDAT" and rng.random() < 0.5:
            content = zlib.compress(blind(rng, zlib.decompress(content)), 1)
        else:
            content = blind(rng, content)
        parts[index] = (kind, content)
    elif way == 3:
        parts.insert(rng.randrange(len(parts) + 1), (kind, blind(rng, content)))
    elif way == 4:
        del parts[index]
    elif way == 5:
        rng.shuffle(parts)
    else:
        names = (
            b"tRNS",
            b"gAMA",
            b"cHRM",
            b"iCCP",
            b"cICP",
            b"eXIf",
            b"acTL",
            b"fcTL",
            b"PLTE",
            b"sRGB",
            b"tEXt",
            b"IDAT",
        )
        parts.insert(1, (rng.choice(names), rng.randbytes(rng.choice((0, 1, 4, 8, 32, 99)))))
    body = b"".join(
        struct.pack(">I", len(c)) + k + c + zlib.crc32(c, zlib.crc32(k)).to_bytes(4, "big") for k, c in parts
    )
    return data[:8] + body


def jpeg(rng: random.Random, data: bytes) -> bytes:
    """A segment's length, kind or content."""
    marks = [m.start() for m in re.finditer(rb"\xff[\xc0-\xfe]", data)]
    at = rng.choice(marks)
    out = bytearray(data)
    way = rng.randrange(5)
    if way == 0:
        out[at + 1] = rng.randrange(0xC0, 0xFF)
    elif way == 1 and at + 4 <= len(out):
        out[at + 2 : at + 4] = (rng.choice(ODD) % 65_536).to_bytes(2, "big")
    elif way == 2:
        content = rng.randbytes(rng.choice((0, 6, 14, 64)))
        head = rng.choice((b"Exif\0\0", b"ICC_PROFILE\0\1\1", b"MPF\0II*\0", b"Adobe\0", b"JFIF\0", b""))
        segment = bytes([0xFF, rng.choice((0xE0, 0xE1, 0xE2, 0xEE, 0xFE))])
        out[2:2] = segment + (len(head + content) + 2).to_bytes(2, "big") + head + content
    else:
        end = min(len(out), at + rng.choice((8, 20, 64)))
        out[at + 2 : end] = blind(rng, bytes(out[at + 2 : end]))
    return bytes(out)


TAGS = (254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339, 530, 34675)


def tiff(rng: random.Random, data: bytes) -> bytes:
    """An entry of the first directory: its tag, type, count or value."""
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack(order + "I", data[4:8])[0]
    count = struct.unpack(order + "H", data[start : start + 2])[0]
    at = start + 2 + 12 * rng.randrange(max(1, count))
    out = bytearray(data)
    way = rng.randrange(5)
    if way == 0:
        struct.pack_into(order + "H", out, at, rng.choice(TAGS))
    elif way == 1:
        struct.pack_into(order + "H", out, at + 2, rng.randrange(20))
    elif way == 2:
        struct.pack_into(order + "I", out, at + 4, rng.choice(ODD) % 2**32)
    elif way == 3:
        struct.pack_into(order + "I", out, at + 8, rng.choice((*ODD, 3, 4, 5, 6, 32773, 34925, 50000)) % 2**32)
    else:
        struct.pack_into(order + "H", out, at + 8, rng.choice((*ODD, 3, 5, 6)) % 2**16)
    return bytes(out) if rng.random() < 0.8 else blind(rng, bytes(out))


def boxes(rng: random.Random, data: bytes) -> bytes:
    """The size, name or content of a box of AVIF, JPEG 2000 or JPEG XL."""
    names = [m.start() for m in re.finditer(rb"[a-z][a-zA-Z0-9 ]{3}", data[:2048])]
    if not names or rng.random() < 0.3:
        return blind(rng, data)
    at = rng.choice(names)
    out = bytearray(data)
    way = rng.randrange(3)
    if way == 0 and at >= 4:
        out[at - 4 : at] = (rng.choice(ODD) % 2**32).to_bytes(4, "big")
    elif way == 1:
        out[at : at + 4] = rng.choice(
            (b"ftyp", b"meta", b"iprp", b"ipco", b"colr", b"ispe", b"free", b"iloc", b"jp2h", b"jp2c")
        )
    else:
        out[at + 4 : at + 24] = blind(rng, bytes(out[at + 4 : at + 24]))
    return bytes(out)


def riff(rng: random.Random, data: bytes) -> bytes:
    """The size or name of a chunk of WebP, with the whole's size mended."""
    names = [m.start() for m in re.finditer(rb"VP8[ LX]|ALPH|ANIM|ANMF|ICCP|EXIF|XMP ", data)]
    at = rng.choice(names)
    out = bytearray(data)
    way = rng.randrange(3)
    if way == 0:
        out[at + 4 : at + 8] = (rng.choice(ODD) % 2**32).to_bytes(4, "little")
    elif way == 1:
        out[at : at + 4] = rng.choice((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANMF", b"ICCP", b"EXIF"))
    else:
        out[at + 8 :] = blind(rng, bytes(out[at + 8 :]))
    out[4:8] = (max(0, len(out) - 8) % 2**32).to_bytes(4, "little")
    return bytes(out)


def text(rng: random.Random, data: bytes) -> bytes:
    """A number, word, line or sign of a text file (TOML, CSV, JSON)."""
    whole = data.decode("utf-8", "replace")
    way = rng.randrange(7)
    if way <= 2:
        found = list(re.finditer(r"-?\d+(\.\d+)?(e-?\d+)?", whole))
        if found:
            one = rng.choice(found)
            value = rng.choice(LARGE if rng.randrange(50) == 0 else NUMBERS)
            whole = whole[: one.start()] + value + whole[one.end() :]
    elif way == 3:
        lines = whole.splitlines(keepends=True)
        del lines[rng.randrange(len(lines)) :][:1]
        whole = "".join(lines)
    elif way == 4:
        lines = whole.splitlines(keepends=True)
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
        whole = "".join(lines)
    elif way == 5:
        at = rng.randrange(len(whole) + 1)
        whole = (
            whole[:at]
            + rng.choice(("\0", '"', "'", "[", "{", ",", "\n", "=", "é", "\ud7ff", "[[", "]]", "#", "\\"))
            + whole[at:]
        )
    else:
        return blind(rng, data)
    return whole.encode("utf-8", "replace")


def safetensors(rng: random.Random, data: bytes) -> bytes:
    """The JSON header as text, its length mended (mostly)."""
    length = int.from_bytes(data[:8], "little")
    header = text(rng, data[8 : 8 + length])
    size = len(header) if rng.random() < 0.9 else rng.choice(ODD)
    return size.to_bytes(8, "little") + header + data[8 + length :]


def archive(rng: random.Random, data: bytes) -> bytes:
    """A member of a zip (.npz, .pth), damaged inside a whole archive; or the archive itself."""
    if rng.random() < 0.3:
        return blind(rng, data)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        chosen = rng.choice(names)
        for name in names:
            content = old.read(name)
            if name == chosen:
                if rng.random() < 0.1:
                    continue
                front = content[:128]
                content = blind(rng, front) + content[128:] if rng.random() < 0.7 else blind(rng, content)
            new.writestr(name, content)
    return out.getvalue()


def icc(rng: random.Random, data: bytes) -> bytes:
    """An entry of the table of tags, or the front of a tag's content, where its type and counts stand."""
    count = int.from_bytes(data[128:132], "big")
    out = bytearray(data)
    at = 132 + 12 * rng.randrange(max(1, count))
    way = rng.randrange(6)
    if way == 0:
        out[at : at + 4] = rng.choice((b"rTRC", b"kTRC", b"A2B0", b"B2A0", b"cicp", b"wtpt", b"rXYZ", b"desc", b"chad"))
    elif way == 1:
        field = at + rng.choice((4, 8))
        out[field : field + 4] = (rng.choice(ODD) % 2**32).to_bytes(4, "big")
    elif way == 2:
        out[16:20] = rng.choice((b"RGB ", b"GRAY", b"CMYK", b"Lab ", b"XYZ "))
    else:
        start = int.from_bytes(data[at + 4 : at + 8], "big")
        out[start : start + 48] = blind(rng, bytes(out[start : start + 48]))
    return bytes(out)


def parquet(rng: random.Random, data: bytes) -> bytes:
    """The footer or its length."""
    length = int.from_bytes(data[-8:-4], "little")
    start = max(4, len(data) - 8 - length)
    footer = blind(rng, data[start:-8])
    size = len(footer) if rng.random() < 0.9 else rng.choice(ODD) % 2**32
    return data[:start] + footer + size.to_bytes(4, "little") + data[-4:]


def json_tree(rng: random.Random, data: bytes) -> bytes:
    """One value somewhere in a JSON document becomes another kind of value."""
    tree = json.loads(data)
    spots: list[tuple[dict[str, object] | list[object], str | int]] = []
    stack: list[object] = [tree]
    while stack:
        node = stack.pop()
        pairs: Sequence[tuple[str | int, object]] = (
            list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
        )
        for key, value in pairs:
            spots.append((node, key))  # type: ignore[arg-type]
            stack.append(value)
    if not spots or rng.random() < 0.3:
        return text(rng, data)
    node, key = rng.choice(spots)
    if rng.random() < 0.2:
        del node[key]  # type: ignore[arg-type]
    else:
        choices: tuple[object, ...] = (
            None,
            True,
            -1,
            2**70,
            1e308,
            "",
            "x" * 300,
            [],
            {},
            [[]],
            {"a": None},
            "\0",
            0.5,
        )
        node[key] = rng.choice(choices)  # type: ignore[index]
    return json.dumps(tree).encode()
