"""Whole files of kinds that are not read, or not wholly: refused or noted by name, and never called damaged.

Truth: JPEG XL files written by libjxl 0.11 (imagecodecs 2026.3.6: 2 rows of 4 greys, lossless), their depths and
linear light as that encoder was asked; headers written byte by byte from T.81, T.87, TIFF 6.0 and PNG.
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


@pytest.mark.parametrize("kind", [kind for kind in JXL if kind != "an animation"])
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


def test_an_animation_of_jpeg_xl_is_refused() -> None:
    # libjxl's plug-in for Pillow decodes the last frame: found with the conformance set's animation_newtons_cradle.
    assert [kind for kind, (_, text) in JXL.items() if jxl_header(base64.b64decode(text)).animated] == ["an animation"]
    with pytest.raises(InputError, match="an animated JPEG XL, of which vitiq can decode the last frame only"):
        decode_image(base64.b64decode(JXL["an animation"][1]), "x")


def header_of(*fields: tuple[int, int]) -> bytes:
    """A codestream of 8 × 8 pixels whose metadata are these values, each with its number of bits, lowest bit first."""
    value = place = 0
    for width, number in ((1, 1), (5, 0), (3, 1), (1, 0), (1, 0), *fields):
        value |= number << place
        place += width
    return b"\xff\x0a" + value.to_bytes(place // 8 + 9, "little")


DEPTH = ((1, 0), (2, 0), (1, 1))
"""8-bit integers, for which 16 bits are enough to compute with."""
ALPHA = ((1, 0), (2, 0), (1, 0), (2, 0), (2, 0), (2, 1), (4, 5), (40, 0x6168706C61))
"""An extra channel, not as by default: its kind, depth and size, and a name of five letters."""
BLACK = ((1, 0), (2, 2), (4, 2), (1, 0), (2, 0), (2, 0), (2, 0))
SRGB = ((1, 1), (1, 1))
"""XYB; the colour encoding as by default."""
GREY_OWN = ((1, 1), (1, 0), (1, 0), (2, 1), (2, 1), (1, 0))
"""XYB; a colour encoding of grey under D65 whose curve is no gamma."""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ((*DEPTH, (2, 1), *ALPHA, (1, 1), *SRGB), JxlHeader(premultiplied=True)),
        ((*DEPTH, (2, 1), *ALPHA, (1, 0), *SRGB), JxlHeader()),
        ((*DEPTH, (2, 1), (1, 1), *SRGB), JxlHeader()),
        ((*DEPTH, (2, 2), (4, 0), *BLACK, *ALPHA, (1, 1), *SRGB), JxlHeader(premultiplied=True, inks=True)),
        ((*DEPTH, (2, 0), *GREY_OWN, (2, 2), (4, 14)), JxlHeader(transfer=16)),
        ((*DEPTH, (2, 0), *GREY_OWN, (2, 3), (6, 0)), JxlHeader(transfer=18)),
    ],
)
def test_what_the_header_of_jpeg_xl_says_of_channels_and_colour(
    fields: tuple[tuple[int, int], ...], said: JxlHeader
) -> None:
    # By annexes D.3 and E.2; so are alpha_premultiplied, cmyk_layers and pq_gradient of libjxl's sets.
    assert jxl_header(header_of(*fields)) == said


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (JxlHeader(inks=True), "JPEG XL in CMYK, which vitiq cannot decode"),
        (JxlHeader(transfer=16), "an HDR image, coded with PQ"),
        (JxlHeader(transfer=18), "an HDR image, coded with HLG"),
    ],
)
def test_jpeg_xl_whose_colour_the_decoder_does_not_bring_is_refused(
    header: JxlHeader, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitiq.image.read.jxl_header", lambda _: header)
    with pytest.raises(InputError, match=said):
        decode_image(base64.b64decode(EIGHT), "x")


def test_premultiplied_alpha_of_jpeg_xl_is_divided_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # libjxl hands it on as it is; the conformance set's alpha_premultiplied comes out within 2 of its reference.
    pytest.importorskip("pillow_jxl")
    colour = np.array([[[200, 100, 50], [10, 20, 30]]], np.uint8)
    alpha = np.array([[[128], [255]]], np.uint8)
    buffer = io.BytesIO()
    multiplied = np.rint(colour * (alpha / 255.0)).astype(np.uint8)
    Image.fromarray(np.dstack([multiplied, alpha])).save(buffer, "JXL", lossless=True)
    monkeypatch.setattr("vitiq.image.read.jxl_header", lambda _: JxlHeader(premultiplied=True))
    image, _ = decode_image(buffer.getvalue(), "x")
    expected = np.rint(multiplied + 255.0 - alpha)
    assert np.abs(image - expected).max() <= 1


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
    tifffile.imwrite(buffer, np.zeros((4, 4, 3), np.uint8), photometric="ycbcr", bigtiff=True, byteorder=">")
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
