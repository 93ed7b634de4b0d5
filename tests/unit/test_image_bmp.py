"""BMP: bit masks, palettes, run-length coding and what is wrong in them.

Truth: files written byte by byte here from Microsoft's and IBM's descriptions; of masks, v · 255 / (2^bits - 1)
rounded, as for every depth. The files of bmpsuite 2.8 (J. Summers) come out as the images that come with it
(tests/hardening/public_sets.py).
"""

from __future__ import annotations

import struct

import numpy as np
import pytest

from vitiq.errors import InputError
from vitiq.image.read import decode_image

COLOURS = bytes([10, 20, 30, 0, 40, 50, 60, 0, 70, 80, 90, 0, 250, 240, 230, 0])
"""Four entries of a palette: blue, green, red, and a byte without meaning."""
SHOWN = np.array([[30, 20, 10], [60, 50, 40], [90, 80, 70], [230, 240, 250]], np.uint8)


def bmp(
    pixels: bytes,
    size: tuple[int, int],
    bits: int,
    coding: int = 0,
    *,
    header: int = 40,
    palette: bytes = b"",
    masks: tuple[int, ...] = (),
) -> bytes:
    """A BMP of width and height `size`; the masks lie in the header from 52 bytes on, else behind it."""
    packed = struct.pack(f"<{len(masks)}I", *masks)
    if header == 12:
        head = struct.pack("<I4H", 12, *size, 1, bits)
    elif header == 16:
        head = struct.pack("<IiiHH", 16, *size, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, *size, 1, bits, coding, len(pixels), 0, 0, len(palette) // 4, 0)
        head = (head + packed).ljust(header, b"\0")
    start = 14 + len(head) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + head + palette + pixels


def scaled(value: int, bits: int) -> int:
    return round(value * 255 / ((1 << bits) - 1))


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0x7C00, 0x3E0, 0x1F)),
        (16, (0xF800, 0x7E0, 0x1F)),
        (16, (0xC000, 0x3800, 0x1)),
        (32, (0xFF, 0xFF00, 0xFF0000)),
        (32, (0xFF000000, 0xFF0000, 0xFF00)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (32, (0x7F000000, 0x3, 0xFFFF00)),
        (32, (0xFF, 0xFF00, 0)),
    ],
)
@pytest.mark.parametrize("header", [40, 56, 124])
def test_bit_masks_of_every_width_and_order(bits: int, masks: tuple[int, ...], header: int) -> None:
    words = np.random.default_rng(1).integers(0, 2**bits, 12, dtype=np.uint32)
    pixels = words.astype(f"<u{bits // 8}").tobytes()
    image, notes = decode_image(bmp(pixels, (4, 3), bits, 3, header=header, masks=masks), "x")
    expected = np.zeros((12, 3))
    for channel, mask in enumerate(masks):
        if mask:
            shift = (mask & -mask).bit_length() - 1
            expected[:, channel] = [scaled((int(word) & mask) >> shift, mask.bit_count()) for word in words]
    assert (image == expected.reshape(3, 4, 3)[::-1]).all()
    deep = max(mask.bit_count() for mask in masks)
    assert notes == ([f"{deep} bits rounded to 8"] if deep > 8 else [])


@pytest.mark.parametrize(("coding", "header"), [(3, 56), (3, 108), (6, 40)])
def test_the_alpha_that_a_mask_states_is_laid_on_white(coding: int, header: int) -> None:
    """Of 16 bits too: 1 bit of alpha, 5 of each colour."""
    words = struct.pack("<4H", 0x8000 | 31 << 10, 31 << 10, 0x8000 | 31, 31)
    data = bmp(words, (4, 1), 16, coding, header=header, masks=(0x7C00, 0x3E0, 0x1F, 0x8000))
    image, notes = decode_image(data, "x")
    assert image[0].tolist() == [[255, 0, 0], [255] * 3, [0, 0, 255], [255] * 3]
    assert notes == ["transparency laid on white"]


def test_an_alpha_channel_of_zeros_alone_is_none() -> None:
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    image, notes = decode_image(bmp(bytes([1, 2, 3, 0]), (1, 1), 32, 3, header=108, masks=masks), "x")
    assert image[0, 0].tolist() == [3, 2, 1]
    assert notes == ["alpha channel of zeros alone ignored"]
    assert decode_image(bmp(bytes([1, 2, 3, 0]), (1, 1), 32), "x")[1] == []  # no mask: a byte without meaning
    image, notes = decode_image(bmp(bytes([1, 2, 3, 51]), (1, 1), 32, header=108, masks=masks), "x")
    assert image[0, 0].tolist() == [205, 204, 204]  # a mask without bit fields: browsers take its alpha
    assert notes == ["transparency laid on white"]


@pytest.mark.parametrize(
    ("bits", "rows"),
    [
        (1, b"\x60\0\0\0" + b"\x80\0\0\0"),
        (2, b"\x14\0\0\0\x40\0\0\0"),
        (4, b"\1\x10\0\0\x10\0\0\0"),
        (8, b"\0\1\1\0\1\0\0\0"),
    ],
)
@pytest.mark.parametrize("header", [12, 16, 40, 64])
def test_palettes_of_every_depth_and_header(bits: int, rows: bytes, header: int) -> None:
    palette = COLOURS if header != 12 else bytes(v for i, v in enumerate(COLOURS) if i % 4 != 3)
    image, notes = decode_image(bmp(rows, (4, 2), bits, header=header, palette=palette), "x")
    assert (image == SHOWN[np.array([[1, 0, 0, 0], [0, 1, 1, 0]])]).all()
    assert notes == []


def test_colours_that_the_palette_lacks_are_said() -> None:
    image, notes = decode_image(bmp(b"\0\7\1\2", (4, 1), 8, palette=COLOURS[:8]), "x")
    assert image[0].tolist() == [SHOWN[0].tolist(), [0] * 3, SHOWN[1].tolist(), [0] * 3]
    assert notes == ["2 pixels of colours that the palette lacks, read as black"]


RUNS = {
    8: b"\3\1\1\2\0\0" + b"\0\3\0\1\2\0\1\3\0\1",
    4: b"\3\x11\1\x20\0\0" + b"\0\3\1\x20\1\x30\0\1",
}
"""Two rows: 1 1 1 2 by two runs, 0 1 2 as they are (padded) and 3 by a run."""


@pytest.mark.parametrize("bits", [8, 4])
def test_run_length_coding(bits: int) -> None:
    image, notes = decode_image(bmp(RUNS[bits], (4, 2), bits, 1 if bits == 8 else 2, palette=COLOURS), "x")
    assert (image == SHOWN[np.array([[0, 1, 2, 3], [1, 1, 1, 2]])]).all()
    assert notes == []


def test_pixels_that_run_length_coding_passes_over_are_transparent() -> None:
    """By a move (2 right, 1 up), the end of a row, and the end of the image."""
    image, notes = decode_image(bmp(b"\1\1\0\2\1\1\1\2\0\0\1\3\0\1", (3, 4), 8, 1, palette=COLOURS), "x")
    expected = np.full((4, 3, 3), 255)
    expected[3, 0], expected[2, 2], expected[1, 0] = SHOWN[1], SHOWN[2], SHOWN[3]
    assert (image == expected).all()
    assert notes == ["transparency laid on white"]


def test_a_run_beyond_its_row_is_cut_and_said() -> None:
    image, notes = decode_image(bmp(b"\5\1\0\0\2\2\0\1", (2, 2), 8, 1, palette=COLOURS), "x")
    assert (image == SHOWN[np.array([[2, 2], [1, 1]])]).all()
    assert notes == ["runs of pixels beyond the end of their row cut off"]


@pytest.mark.parametrize("runs", [b"\2\1", b"\2\1\0\0", b"\2\1\0\0\0\3\1", b"\0\2\0", b"\0\2\0\x09\0\1", b""])
def test_run_length_coding_that_ends_early_or_leaves_the_image_is_refused(runs: bytes) -> None:
    with pytest.raises(InputError, match=r"x: the image is truncated or damaged .its pixel data (ends|goes)"):
        decode_image(bmp(runs, (2, 2), 8, 1, palette=COLOURS), "x")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bmp(b"\xff\xd8", (2, 2), 24, 4, header=124), "BMP with a JPEG in it"),
        (bmp(b"\x89PNG", (2, 2), 24, 5, header=124), "BMP with a PNG in it"),
        (bmp(b"\0" * 8, (2, 2), 1, 3, header=64), "BMP with Huffman coding, which vitiq cannot decode"),
        (bmp(b"\0" * 32, (2, 2), 64), "BMP of 64 bits per pixel"),
        (bmp(b"\0" * 32, (2, 2), 16, 3, masks=(0x7C00, 0x2E0, 0x1F)), "a bit mask with gaps"),
        (bmp(b"\0" * 7, (2, 2), 24), "7 bytes of pixels, 16 are expected"),
        (b"BA" + bytes(12) + b"BM" + bytes(60), "an OS/2 array of bitmaps; save the one you mean as PNG"),
    ],
)
def test_kinds_that_are_not_read_are_named(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        decode_image(data, "x")


@pytest.mark.parametrize("gamma", [2.2, 1 / 2.2])
def test_endpoints_that_are_chromaticities_have_the_white_of_srgb(gamma: float) -> None:
    """As bmpsuite states them (x + y + z = 1; its gamma 2.2 before version 2.5, then 1 / 2.2).

    Firefox reads them so, with the white point of D65.
    """
    points = (0.64, 0.33, 0.03, 0.3, 0.6, 0.1, 0.15, 0.06, 0.79)
    levels = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[:, None], 3, axis=1)
    head = struct.pack("<IiiHHIIiiII", 108, 52, -1, 1, 24, 0, 156, 0, 0, 0, 0) + bytes(20)
    head += struct.pack("<9I", *[round(v * 2**30) for v in points]) + struct.pack("<3I", *[round(gamma * 65_536)] * 3)
    data = struct.pack("<2sIHHI", b"BM", 122 + 156, 0, 0, 122) + head + levels.tobytes()
    light = (levels / 255) ** 2.2
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(decode_image(data, "x")[0][0] - expected).max() <= 1


def test_run_length_coding_of_24_bits() -> None:
    # OS/2: as of 8 bits, a colour of three bytes in place of its number. bmpsuite's rgb24rle24.bmp comes out as its
    # rgb24.bmp does.
    runs = b"\2\x0a\x14\x1e" + b"\0\0" + b"\0\3" + bytes(range(1, 10)) + b"\0" + b"\0\0" + b"\0\2\1\0\1\7\x08\x09\0\1"
    image, notes = decode_image(bmp(runs, (3, 3), 24, 4, header=64), "x")
    white = [255, 255, 255]
    assert image[2].tolist() == [[30, 20, 10], [30, 20, 10], white]
    assert image[1].tolist() == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]
    assert image[0].tolist() == [white, [9, 8, 7], white]
    assert notes == ["transparency laid on white"]


@pytest.mark.parametrize("runs", [b"\2\1\1", b"\0\3" + bytes(8), b"\3\1\2\3"])
def test_run_length_coding_of_24_bits_that_ends_early_is_refused(runs: bytes) -> None:
    with pytest.raises(InputError, match="its pixel data ends"):
        decode_image(bmp(runs, (3, 3), 24, 4, header=64), "x")


@pytest.mark.parametrize(
    "whole",
    [
        bmp(bytes([0b00011011, 0, 0, 0]), (4, 1), 2, palette=COLOURS),
        bmp(bytes([0, 1, 2, 3]), (4, 1), 8, palette=COLOURS),
        bmp(bytes([3, 0, 0, 0]), (1, 1), 8, palette=COLOURS * 64)[:-4] + bytes([3, 0, 0, 0]),
        bmp(bytes([1, 2, 3, 4, 5, 6, 0, 0]), (2, 1), 24, header=12),
        bmp(bytes([1, 2, 3, 4, 5, 6, 0, 0]), (2, 1), 24, palette=COLOURS),  # of no use to 24 bits, and skipped
        bmp(bytes([0x12, 0x34, 0x56, 0x78]), (2, 1), 16, 3, masks=(0xF800, 0x7E0, 0x1F)),
        bmp(bytes([0x12, 0x34, 0x56, 0x78]), (1, 1), 32, 6, masks=(0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
        bmp(bytes([0x12, 0x34, 0x56, 0x78]), (1, 1), 32, 3, header=124, masks=(0xFF, 0xFF00, 0xFF0000, 0)),
        bmp(bytes([4, 2, 0, 1]), (4, 1), 8, 1, palette=COLOURS),
    ],
)
def test_a_bitmap_without_its_file_header_is_the_same_image(whole: bytes) -> None:
    """As Windows' clipboard and some .dib files hold it."""
    expected, notes = decode_image(whole, "x.bmp")
    image, found = decode_image(whole[14:], "x.dib")
    np.testing.assert_array_equal(image, expected)
    assert found == notes


def test_what_only_resembles_a_bitmap_without_file_header_is_not_taken_for_one() -> None:
    for head in (struct.pack("<IiiHH", 40, 1, 1, 2, 24), struct.pack("<IiiHH", 40, 1, 1, 1, 5), bytes([40, 0, 0, 0])):
        with pytest.raises(InputError, match="not an image in a format"):
            decode_image(head.ljust(60, b"\1"), "x.dib")


def test_a_bitmap_without_file_header_that_ends_early_is_refused() -> None:
    whole = bmp(bytes(8), (2, 1), 24, palette=COLOURS)[14:]
    for length in range(17, len(whole) - 2):
        with pytest.raises(InputError, match="damaged"):
            decode_image(whole[:length], "x.dib")
