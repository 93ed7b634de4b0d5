"""JPEG 2000 whose channels lie in an order of their own, and files of digital cinema.

Truth: ISO/IEC 15444-1, I.5.3.6, on lossless files of Pillow with the box put in; sYCC by its equations. The conformance
file file2.jp2 (Cr, Cb, Y) comes out as OpenJPEG's own decoder gives it (imagecodecs 2026.3.6).
"""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from vitiq.errors import InputError
from vitiq.image.read import decode_image

RGB = np.random.default_rng(2).integers(60, 190, (9, 11, 3), np.uint8)
ALPHA = np.random.default_rng(3).integers(1, 256, (9, 11, 1), np.uint8)


def jp2(samples: np.ndarray, channels: list[tuple[int, int, int]], space: int | None = None) -> bytes:
    """A lossless file of these components, with a channel definition, and a numbered space if it is given."""
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "JPEG2000", mct=0)
    data = bytearray(buffer.getvalue())
    if space is not None:
        at = data.index(b"colr") + 7
        data[at : at + 4] = struct.pack(">I", space)
    if b"cdef" in data:  # Pillow's own, of images with alpha
        at = data.index(b"cdef") - 4
        length = struct.unpack(">I", data[at : at + 4])[0]
        del data[at : at + length]
        _lengthen(data, -length)
    box = struct.pack(">I4sH", 10 + 6 * len(channels), b"cdef", len(channels))
    box += b"".join(struct.pack(">HHH", *channel) for channel in channels)
    start = data.index(b"jp2h") - 4
    end = start + struct.unpack(">I", data[start : start + 4])[0]
    data[end:end] = box
    _lengthen(data, len(box))
    return bytes(data)


def _lengthen(data: bytearray, more: int) -> None:
    at = data.index(b"jp2h") - 4
    data[at : at + 4] = struct.pack(">I", struct.unpack(">I", data[at : at + 4])[0] + more)


def test_colours_in_another_order() -> None:
    image, notes = decode_image(jp2(RGB[:, :, ::-1].copy(), [(0, 0, 3), (1, 0, 2), (2, 0, 1)]), "x")
    np.testing.assert_array_equal(image, RGB)
    assert notes == []


@pytest.mark.parametrize("turned", [False, True])
def test_sycc_in_either_order(turned: bool) -> None:
    luma, blue, red = np.moveaxis(RGB.astype(float), 2, 0)
    expected = [luma + 1.402 * (red - 128), luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128)]
    expected += [luma + 1.772 * (blue - 128)]
    channels = [(0, 0, 3), (1, 0, 2), (2, 0, 1)] if turned else [(0, 0, 1), (1, 0, 2), (2, 0, 3)]
    image, _ = decode_image(jp2(RGB[:, :, ::-1].copy() if turned else RGB, channels, 18), "x")
    assert np.abs(image - np.clip(np.stack(expected, 2), 0, 255)).max() <= 1.5


def test_alpha_by_its_definition() -> None:
    four = np.concatenate([RGB, ALPHA], 2)
    colours = [(0, 0, 1), (1, 0, 2), (2, 0, 3)]
    cover = ALPHA / 255
    image, notes = decode_image(jp2(four, [*colours, (3, 1, 0)]), "x")
    assert np.abs(image - (RGB * cover + 255 * (1 - cover))).max() <= 1
    assert notes == ["transparency laid on white"]
    image, notes = decode_image(jp2(four, [*colours, (3, 65_535, 65_535)]), "x")
    np.testing.assert_array_equal(image, RGB)
    assert notes == ["extra channel ignored"]
    covered = np.rint(RGB * cover).astype(np.uint8)
    image, _ = decode_image(jp2(np.concatenate([covered, ALPHA], 2), [*colours, (3, 2, 0)]), "x")
    assert np.abs(image - (covered + 255 * (1 - cover))).max() <= 1.5


def test_a_definition_of_channels_that_are_not_there() -> None:
    with pytest.raises(InputError, match="a definition of channels that it does not have"):
        decode_image(jp2(RGB, [(0, 0, 3), (1, 0, 2), (7, 0, 1)]), "x")


@pytest.mark.parametrize("profile", [3, 4])
def test_digital_cinema_is_refused_by_name(profile: int) -> None:
    """Rsiz 3 and 4 (15444-1, table A.10): frames of a cinema's package, in X'Y'Z'."""
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG2000", no_jp2=True)
    data = bytearray(buffer.getvalue())
    data[6:8] = struct.pack(">H", profile)
    with pytest.raises(InputError, match="JPEG 2000 of digital cinema"):
        decode_image(bytes(data), "x")


def test_the_colour_of_grey_with_alpha_need_not_be_numbered() -> None:
    # As Kakadu's basn4a08.jp2 of openjpeg-data has it: its colour belongs to the whole image.
    grey = np.random.default_rng(4).integers(0, 256, (9, 11, 1), np.uint8)
    image, notes = decode_image(jp2(np.concatenate([grey, ALPHA], 2), [(0, 0, 0), (1, 1, 0)], 17), "x")
    cover = ALPHA / 255
    assert np.abs(image - (grey * cover + 255 * (1 - cover))).max() <= 1
    assert notes == ["grey repeated in three channels", "transparency laid on white"]


TABLE = np.array([[9, 8, 7, 0], [200, 100, 50, 255], [9, 8, 7, 0], [1, 2, 3, 128]], np.uint8)
"""With one colour twice."""
INDICES = np.random.default_rng(5).integers(0, 4, (9, 11), np.uint8)


def with_palette(table: np.ndarray, channels: list[tuple[int, int, int]], depth: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(INDICES).save(buffer, "JPEG2000")
    data = bytearray(buffer.getvalue())
    at = data.index(b"colr") + 7
    data[at : at + 4] = struct.pack(">I", 16)
    columns = table.shape[1]
    colours = struct.pack(">HB", len(table), columns) + bytes([depth - 1]) * columns + table.tobytes()
    mapped = b"".join(struct.pack(">HBB", 0, 1, column) for column in range(columns))
    defined = struct.pack(">H", len(channels)) + b"".join(struct.pack(">HHH", *channel) for channel in channels)
    parts = [(b"pclr", colours), (b"cmap", mapped), *([(b"cdef", defined)] if channels else [])]
    boxes = b"".join(struct.pack(">I4s", 8 + len(content), kind) + content for kind, content in parts)
    start = data.index(b"jp2h") - 4
    end = start + struct.unpack(">I", data[start : start + 4])[0]
    data[end:end] = boxes
    _lengthen(data, len(boxes))
    return bytes(data)


def test_a_palette_is_taken_as_it_is_numbered_and_defined() -> None:
    # Pillow 13 numbers its colours anew where one is there twice; openjpeg-data's issue412.jp2 has them as G, B, R.
    plain, notes = decode_image(with_palette(TABLE[:, :3], []), "x")
    np.testing.assert_array_equal(plain, TABLE[INDICES, :3])
    assert notes == []
    turned, _ = decode_image(with_palette(TABLE[:, :3], [(0, 0, 2), (1, 0, 3), (2, 0, 1)]), "x")
    np.testing.assert_array_equal(turned, TABLE[INDICES][:, :, [2, 0, 1]])
    clear, notes = decode_image(with_palette(TABLE, [(0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 1, 0)]), "x")
    cover = TABLE[INDICES, 3:] / 255
    assert np.abs(clear - (TABLE[INDICES, :3] * cover + 255 * (1 - cover))).max() <= 1
    assert notes == ["transparency laid on white"]


def test_palettes_that_are_not_read_are_refused() -> None:
    with pytest.raises(InputError, match="an index of a colour that its palette lacks"):
        decode_image(with_palette(TABLE[:2, :3], []), "x")
    with pytest.raises(InputError, match="a palette of 2 channels, which vitiq cannot decode"):
        decode_image(with_palette(TABLE[:, :2], []), "x")
