"""Whole files of kinds that are not read, or not wholly: refused or noted by name, and never called damaged.

Truth: JPEG XL files written by libjxl 0.11 (imagecodecs 2026.3.6: 2 rows of 4 greys, lossless), their depths and
linear light as that encoder was told; headers written byte by byte from T.81, T.87, TIFF 6.0 and PNG.
"""

from __future__ import annotations

import base64
import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from images_by_hand import chunk, png, tiff
from PIL import Image

from vitiq.errors import InputError
from vitiq.image.colour_space import (
    SRGB_PRIMARIES,
    UnsupportedColourError,
    check_eight_bits,
    from_chromaticities,
    power,
)
from vitiq.image.header_colour import count_gif_frames
from vitiq.image.jxl import JxlHeader, jxl_header
from vitiq.image.read import decode_image

JXL = {
    "16 bits": (16,
        "AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAAAJanhsbAoAAAA/anhsY/8KCHD8ABQtAggEAQCgAEsYix"
        "VSbKpODuzw5WktC7h5wFm/QAgAUlWp6jvNbJb1GTaiwLSHl8Q=",
    ),
    "12 bits": (12, "/woIcBhQtAgIBAEAkABLGIsVUmyKTg7s8OVZq2UHzPoFQgCwqlWfpiJ92I6FII9siAE="),
    "floats": (32,
        "AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAAAJanhsbAoAAABEanhsY/8KCHByAEWLCAQBALgASygl1o"
        "GCgqT4zA2gCmt+vKqq6gMAAKmqKnhVVdUHAABSVVXwqqqqDwAApKqqAA==",
    ),
    "half floats": (16,
        "AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAAAJanhsbAoAAAA7anhsY/8KCHBGAEWLCAQBAJQASxiLFc"
        "I5OI/0Szu/QAwAr6oeALCK/6mqeiii8oOMIYVRsfeKAg==",
    ),
    "an animation": (10,
        "/woIcEETAAooWgkIBAEAiABLGIsVUlxbTxbaw2eqTWKKiXeBEACkSn3GpddWDJjziJoYCAQFAIgASxiLFVJcW08W2s"
        "Nnqk1iiol3gRAApEp9xqXXVgyY84iaGA==",
    ),
}  # fmt: skip
"""Bits, and a file in linear light."""
EIGHT = "/woIcBAJCAQBAHwASxiLFVJc0m3sOR3SD1qlrwuEAGC1RqDTjUB5z+5IAQ=="


@pytest.mark.parametrize("kind", JXL)
def test_deep_linear_light_is_not_converted_from_eight_bits(kind: str) -> None:
    bits, text = JXL[kind]
    data = base64.b64decode(text)
    assert jxl_header(data).bits == bits
    with pytest.raises(InputError, match=rf"{bits} bits in '.*Lin', of which the decoder .* too few"):
        decode_image(data, "x")


def test_the_depth_of_jpeg_xl() -> None:
    data = base64.b64decode(EIGHT)
    assert jxl_header(data).bits == 8
    image, notes = decode_image(data, "x")
    assert image[0, :, 0].tolist() == [0, 85, 170, 255]
    assert notes == []
    whole = base64.b64decode(JXL["an animation"][1])
    assert [jxl_header(whole[:length]).bits for length in (0, 1, 2, 5)] == [8] * 4  # too short to say


def test_the_depth_of_deep_srgb_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitiq.image.read.jxl_header", lambda _: JxlHeader(12))
    assert decode_image(base64.b64decode(EIGHT), "x")[1] == ["12 bits rounded to 8"]


def test_an_animation_of_jpeg_xl_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [kind for kind, (_, text) in JXL.items() if jxl_header(base64.b64decode(text)).animated] == ["an animation"]
    monkeypatch.setattr("vitiq.image.read.jxl_header", lambda _: JxlHeader(animated=True))
    assert decode_image(base64.b64decode(EIGHT), "x")[1] == ["first of an animation's frames"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_xl_is_turned_once_whoever_packed_it(orientation: int, tmp_path: Path) -> None:
    """libjxl turns its own images; a JPEG that is packed in JPEG XL comes back as it was, with its EXIF."""
    pytest.importorskip("pillow_jxl")
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 16, 3), np.uint8))
    image.save(tmp_path / "x.jpg", exif=exif)
    with Image.open(tmp_path / "x.jpg") as opened:
        opened.save(tmp_path / "x.jxl", lossless_jpeg=True)
    expected, said = decode_image((tmp_path / "x.jpg").read_bytes(), "x")
    found, notes = decode_image((tmp_path / "x.jxl").read_bytes(), "x")
    np.testing.assert_array_equal(found, expected)
    assert notes == said


def test_what_the_first_frame_of_a_gif_leaves_free_is_transparent() -> None:
    """As browsers show it (GIF89a, section 18, leaves the background to the reader); Pillow makes it black."""
    buffer = io.BytesIO()
    Image.new("P", (4, 3), 1).save(buffer, "GIF")
    data = buffer.getvalue()
    at = data.index(b",")
    canvas = data[:6] + struct.pack("<2H", 6, 5) + data[10 : at + 1] + struct.pack("<2H", 1, 2) + data[at + 5 :]
    for form, notes in ((data, []), (canvas, ["transparency laid on white"])):
        image, said = decode_image(form, "x")
        assert said == notes
        level = decode_image(data, "x")[0][0, 0, 0]
        expected = np.full(image.shape[:2], 255 if notes else level)
        expected[-3:, 1:5] = level
        np.testing.assert_array_equal(image[:, :, 0], expected)


def test_whole_files_of_kinds_that_pillow_does_not_decode_are_not_called_damaged() -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((4, 4, 3), np.uint8), photometric="cielab", bigtiff=True, byteorder=">")
    with pytest.raises(InputError, match="BigTIFF of 8 bits with the high byte first"):
        decode_image(buffer.getvalue(), "x")
    with pytest.raises(InputError, match=r"damaged .libjxl cannot decode it.; get the file again"):
        decode_image(base64.b64decode(EIGHT)[:-9], "x")


@pytest.mark.parametrize("gamma", [1.0, 1.2, 1.8, 2.2, 2.6])
def test_only_spaces_of_coarse_darks_need_more_than_eight_bits(gamma: float) -> None:
    space = from_chromaticities("g", power(gamma), SRGB_PRIMARIES)
    check_eight_bits(space, 8)
    steps = np.diff([255 * _srgb((code / 255) ** gamma) for code in range(256)])
    if steps.max() > 2:
        with pytest.raises(UnsupportedColourError):
            check_eight_bits(space, 10)
    else:
        check_eight_bits(space, 10)


def _srgb(light: float) -> float:
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def _jpeg(marker: int, bits: int = 8) -> bytes:
    frame = struct.pack(">BHHBBBB", bits, 8, 8, 1, 1, 0x11, 0)
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda\0\2" + bytes(64)


def _compressed(number: int) -> bytes:
    tags = {256: 4, 257: 4, 258: 8, 259: number, 262: 1, 277: 1, 278: 4}
    return tiff({tag: ("H", (value,)) for tag, value in tags.items()}, bytes(16))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_jpeg(0xC1, 12), "JPEG of 12 bits"),
        (_jpeg(0xC3), "lossless or hierarchical JPEG"),
        (_jpeg(0xF7), "JPEG-LS"),
        *((_compressed(number), kind) for number, kind in ((34712, "JPEG 2000"), (50001, "WebP"), (50002, "JPEG XL"),
          (34887, "LERC"), (34934, "JPEG XR"), (34661, "number 34661"))),
    ],
)  # fmt: skip
def test_whole_files_of_unread_kinds_are_not_called_damaged(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as raised:
        decode_image(data, "x")
    assert "damaged" not in str(raised.value)
    assert "get the file again" not in str(raised.value)


def test_no_message_names_an_object_in_memory() -> None:
    for data in (b"GIF89a" + bytes(4), b"II*\0\x08\0\0\0" + bytes(30), b"RIFF\x04\0\0\0WEBP"):
        with pytest.raises(InputError) as raised:
            decode_image(data, "x")
        assert " at 0x" not in str(raised.value)


def _palette(entries: int, index: int, *more: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", 4, 2, 8, 3, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes([0, 1, index, index])) * 2)
    plte = chunk(b"PLTE", bytes(range(7, 7 + 3 * entries))) if entries else b""
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + plte + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def test_colours_that_a_palette_lacks_are_said() -> None:
    image, notes = decode_image(_palette(2, 1), "x")
    assert image[0].tolist() == [[7, 8, 9]] + [[10, 11, 12]] * 3
    assert notes == []
    image, notes = decode_image(_palette(2, 9), "x")
    assert image[0, 2].tolist() == [0, 0, 0]
    assert notes == ["4 pixels of colours that the palette lacks, read as black"]
    for broken in (_palette(0, 1), _palette(2, 1, chunk(b"PLTE", bytes(6)))):
        with pytest.raises(InputError, match=r"palette of 0 bytes|more than one PLTE"):
            decode_image(broken, "x")


def test_a_second_header_is_refused() -> None:
    whole = png(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(InputError, match="more than one IHDR"):
        decode_image(whole[:33] + whole[8:], "x")


def test_short_palettes_as_pillow_writes_them() -> None:
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).quantize(5)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=4)
    read, notes = decode_image(buffer.getvalue(), "x")
    assert np.array_equal(read, np.asarray(image.convert("RGB")))
    assert notes == []


def test_cmyk_without_adobe_s_mark_is_said() -> None:
    """Readers do not agree on it: libvips takes such inks as they stand, Pillow and browsers turn them round."""
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:, :8, 0] = 255
    buffer = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(buffer, "JPEG", quality=95)
    data = buffer.getvalue()
    start = data.index(b"\xff\xee")
    bare = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
    marked, notes = decode_image(data, "x")
    plain, said = decode_image(bare, "x")
    assert np.array_equal(marked, plain)
    assert notes == ["CMYK converted to RGB"]
    assert said == ["CMYK without Adobe's mark read as with it, 255 is no ink", "CMYK converted to RGB"]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_frames_of_a_gif_are_counted_as_pillow_counts_them(count: int) -> None:
    rng = np.random.default_rng(count)
    images = [Image.fromarray(rng.integers(0, 256, (9, 8 + count), dtype=np.uint8)) for _ in range(count)]
    images = [
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=2 ** (1 + at)) for at, image in enumerate(images)
    ]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], comment=b"any" * 200)
    assert getattr(Image.open(io.BytesIO(buffer.getvalue())), "n_frames", 1) == count
    assert count_gif_frames(buffer.getvalue()) == count
    notes = decode_image(buffer.getvalue(), "x")[1]
    assert notes[:1] == ([f"first of {count} frames"] if count > 1 else [])


@pytest.mark.parametrize("form", ["gif", "tiff", "png"])
def test_more_frames_than_are_counted_are_not_given_as_a_number(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("header_colour", "ifd", "png", "raster"):
        monkeypatch.setattr(f"vitiq.image.{module}.MAX_FRAMES", 3)
    images = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in range(0, 100, 20)]
    buffer = io.BytesIO()
    images[0].save(buffer, form, save_all=True, append_images=images[1:])
    assert decode_image(buffer.getvalue(), "x")[1][0] == "first of more than 3 frames"


@pytest.mark.parametrize(
    "data",
    [b"P6 1 1 255\nabc", b"P5 2 1 65535\nabcd", b"P4 9 1\nab", b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 9\nENDHDR\n\1"],
)
def test_a_second_image_of_netpbm_is_said(data: bytes) -> None:
    assert "first of several images" not in decode_image(data, "x")[1]
    image, notes = decode_image(data + data, "x")
    assert np.array_equal(image, decode_image(data, "x")[0])
    assert notes[0] == "first of several images"
