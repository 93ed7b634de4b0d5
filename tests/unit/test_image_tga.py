"""TGA: depths, palettes, corners, packing and alpha.

Truth: files written byte by byte here from the Truevision specification 2.0. Truevision's own test files and those of
the image crate come out as the latter's PNGs (tests/hardening/public_sets.py).
"""

from __future__ import annotations

import struct

import numpy as np
import pytest

from vitiq.errors import InputError
from vitiq.image.read import decode_image

ON_WHITE = "transparency laid on white"


def tga(
    pixels: bytes,
    size: tuple[int, int],
    kind: int,
    depth: int,
    *,
    flags: int = 0x20,
    palette: tuple[int, int, int, bytes] = (0, 0, 0, b""),
    attributes: int | None = None,
) -> bytes:
    """A TGA, top row first; palette: first index, entries, bits; attributes: of an extension area."""
    first, entries, bits, table = palette
    head = struct.pack("<BBBHHBHHHHBB", 2, bool(entries), kind, first, entries, bits, 7, 9, *size, depth, flags)
    data = head + b"id" + table + pixels
    if attributes is None:
        return data
    area = struct.pack("<H", 495) + bytes(492) + bytes([attributes])
    return data + area + struct.pack("<II", len(data), 0) + b"TRUEVISION-XFILE.\0"


def shown(data: bytes) -> tuple[list[list[list[int]]], list[str]]:
    image, notes = decode_image(data, "x.tga")
    return image.tolist(), notes


ROWS = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


@pytest.mark.parametrize(
    ("flags", "turned"),
    [(0x20, ROWS), (0, ROWS[::-1]), (0x30, ROWS[:, ::-1]), (0x10, ROWS[::-1, ::-1])],
)
@pytest.mark.parametrize("depth", [24, 32])
def test_each_corner(flags: int, turned: np.ndarray, depth: int) -> None:
    parts = [ROWS[:, :, ::-1]] + [np.full((2, 2, 1), 255, np.uint8)] * (depth == 32)
    image, notes = shown(tga(np.concatenate(parts, axis=2).tobytes(), (2, 2), 2, depth, flags=flags))
    assert image == turned.tolist()
    assert notes == []


@pytest.mark.parametrize(
    ("attributes", "alpha", "first", "said"),
    [
        (None, 0, [3, 2, 1], ["alpha channel of zeros alone ignored"]),
        (None, 51, [205, 204, 204], [ON_WHITE]),
        (0, 51, [3, 2, 1], []),
        (1, 51, [3, 2, 1], []),
        (2, 51, [205, 204, 204], [ON_WHITE]),
        (3, 51, [205, 204, 204], [ON_WHITE]),
        (4, 51, [207, 206, 205], [ON_WHITE]),
    ],
)
def test_alpha_of_32_bits_by_what_the_extension_area_says(
    attributes: int | None, alpha: int, first: list[int], said: list[str]
) -> None:
    """3 · 51 / 255 + 255 · 204 / 255 = 204.6; premultiplied, 3 + 204."""
    image, notes = shown(tga(bytes([1, 2, 3, alpha]), (1, 1), 2, 32, attributes=attributes))
    assert image == [[first]]
    assert notes == said


@pytest.mark.parametrize(("attributes", "second"), [(None, [0, 0, 8]), (2, [0, 0, 8]), (3, [255] * 3)])
@pytest.mark.parametrize("flags", [0x20, 0x21])
def test_the_odd_bit_of_16_is_alpha_where_it_is_said_to_be(
    attributes: int | None, second: list[int], flags: int
) -> None:
    image, _ = shown(tga(struct.pack("<2H", 0x8000 | 31 << 10, 1), (2, 1), 2, 16, flags=flags, attributes=attributes))
    assert image == [[[255, 0, 0], second]]


def test_palettes() -> None:
    colours = (
        (8, b"\7\x08", [[8] * 3, [7] * 3]),
        (15, b"\x1f\0\0\x7c", [[255, 0, 0], [0, 0, 255]]),
        (16, b"\x1f\0\0\x7c", [[255, 0, 0], [0, 0, 255]]),
        (24, b"\1\2\3\4\5\6", [[6, 5, 4], [3, 2, 1]]),
    )
    for bits, table, expected in colours:
        for depth, pixels in ((8, b"\6\5"), (16, b"\6\0\5\0")):
            image, notes = shown(tga(pixels, (2, 1), 1, depth, palette=(5, 2, bits, table)))
            assert image == [expected]
            assert notes == []
    image, notes = shown(tga(b"\5\4\7", (3, 1), 1, 8, palette=(5, 2, 24, b"\1\2\3\4\5\6")))
    assert image == [[[3, 2, 1], [0] * 3, [0] * 3]]
    assert notes == ["2 pixels of colours that the palette lacks, read as black"]


def test_a_palette_without_use_is_passed_over() -> None:
    image, notes = shown(tga(b"\1\2\3", (1, 1), 2, 24, palette=(0, 2, 15, b"abcd")))
    assert image == [[[3, 2, 1]]]
    assert notes == []


def test_packets_go_on_in_the_next_row() -> None:
    image, _ = shown(tga(b"\x82\7\0\x09", (2, 2), 11, 8))
    assert [[pixel[0] for pixel in row] for row in image] == [[7, 7], [7, 9]]
    image, _ = shown(tga(b"\x82\1\2\3\0\4\5\6", (2, 2), 10, 24))
    assert image == [[[3, 2, 1]] * 2, [[3, 2, 1], [6, 5, 4]]]
    image, notes = shown(tga(b"\x80\7\xff\0\x09\0", (2, 1), 11, 16, flags=0x28))
    assert image == [[[7] * 3, [255] * 3]]
    assert notes == ["grey repeated in three channels", ON_WHITE]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tga(b"\x82\7\0", (2, 2), 11, 8), "3 bytes of pixels, 4 are expected"),
        (tga(b"\x82\7", (200, 200), 11, 8), "2 bytes of pixel data are too few for 40000 pixels"),
        (tga(b"\1\2\3", (2, 2), 2, 24), "3 bytes of pixels, 12 are expected"),
        (tga(b"\1\2\3", (1, 1), 1, 8), "a palette of 0 colours"),
        (tga(b"\1\2\3", (1, 1), 2, 8), "image type 2 with 8 bits per pixel is not defined"),
        (tga(b"\1\2\3", (1, 1), 2, 24, flags=0x60), "TGA of interleaved rows"),
        (tga(b"\1\2", (1, 1), 3, 16), "TGA of 16-bit grey"),
    ],
)
def test_what_is_broken_or_not_read_is_named(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        decode_image(data, "x.tga")
