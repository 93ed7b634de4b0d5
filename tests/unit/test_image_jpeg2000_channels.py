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
    painted = np.rint(RGB * cover).astype(np.uint8)
    image, _ = decode_image(jp2(np.concatenate([painted, ALPHA], 2), [*colours, (3, 2, 0)]), "x")
    assert np.abs(image - (painted + 255 * (1 - cover))).max() <= 1.5


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
