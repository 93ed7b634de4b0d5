"""Clean aperture of AVIF: only the part that is meant to be seen is read.

Truth: ISO/IEC 14496-12, 12.1.4, worked out by hand; libavif's blue-and-magenta-crop.avif comes out with the part that
libheif gives (libvips 8.18).
"""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from vitiq.image.read import decode_image

RAMP = np.add.outer(np.arange(40) * 3, np.arange(60) * 2)[:, :, None].astype(np.uint8) + np.array([0, 7, 20], np.uint8)


def avif(*, alpha: bool = False, turn: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    pixels = np.dstack([RAMP, np.full(RAMP.shape[:2], 128, np.uint8)]) if alpha else RAMP
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "AVIF", quality=100, subsampling="4:4:4", exif=exif)
    return buffer.getvalue()


def with_aperture(data: bytes, numbers: tuple[int, ...]) -> bytes:
    """The file with the property put last in `ipco` and first to its primary item in `ipma`, all lengths mended."""
    prop = struct.pack(">I4s4IiIiI", 40, b"clap", *numbers)
    ipco = data.index(b"ipco") - 4
    end = ipco + struct.unpack(">I", data[ipco : ipco + 4])[0]
    count, at = 0, ipco + 8
    while at < end:
        count, at = count + 1, at + struct.unpack(">I", data[at : at + 4])[0]
    ipma = data.index(b"ipma") - 4
    entry = ipma + 4 + 4 + 4 + 4 + 2  # length, name, version and flags, entries, the first item's number
    out = bytearray(data[:entry] + bytes([data[entry] + 1, 0x80 | (count + 1)]) + data[entry + 1 :])
    out[end:end] = prop
    for name, more in ((b"meta", 41), (b"iprp", 41), (b"ipco", 40), (b"ipma", 1)):
        start = out.index(name) - 4
        out[start : start + 4] = struct.pack(">I", struct.unpack(">I", out[start : start + 4])[0] + more)
    iloc = out.index(b"iloc") - 4
    items = struct.unpack(">H", out[iloc + 14 : iloc + 16])[0]
    for number in range(items):  # version 0, as libavif writes it: number, source, extents (1), where, how long
        at = iloc + 16 + 14 * number + 6
        out[at : at + 4] = struct.pack(">I", struct.unpack(">I", out[at : at + 4])[0] + 41)
    return bytes(out)


CASES = {
    "centre": ((20, 1, 10, 1, 0, 1, 0, 1), (slice(15, 25), slice(20, 40))),
    "left and above": ((20, 1, 10, 1, -20, 1, -15, 1), (slice(0, 10), slice(0, 20))),
    "by fractions": ((42, 2, 11, 1, 1, 2, -5, 2), (slice(12, 23), slice(20, 41))),
}


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_only_the_aperture_is_read(case: str, alpha: bool) -> None:
    numbers, part = CASES[case]
    whole, said = decode_image(avif(alpha=alpha), "x")
    image, notes = decode_image(with_aperture(avif(alpha=alpha), numbers), "x")
    np.testing.assert_array_equal(image, whole[part])
    assert notes == ["cut to its clean aperture", *said]


def test_it_is_cut_before_it_is_turned() -> None:
    whole, _ = decode_image(avif(turn=6), "x")
    image, _ = decode_image(with_aperture(avif(turn=6), CASES["left and above"][0]), "x")
    np.testing.assert_array_equal(image, whole[:20, -10:])


@pytest.mark.parametrize(
    "numbers",
    [(20, 0, 10, 1, 0, 1, 0, 1), (21, 1, 10, 1, 0, 1, 0, 1), (20, 1, 10, 1, -21, 1, 0, 1), (61, 1, 10, 1, 1, 2, 0, 1)],
)
def test_an_aperture_that_is_none_is_ignored_and_said(numbers: tuple[int, ...]) -> None:
    image, notes = decode_image(with_aperture(avif(), numbers), "x")
    np.testing.assert_array_equal(image, decode_image(avif(), "x")[0])
    assert notes == ["unusable clean aperture ignored"]


def test_an_aperture_of_the_whole_image_says_nothing() -> None:
    assert decode_image(with_aperture(avif(), (60, 1, 40, 1, 0, 1, 0, 1)), "x")[1] == []
