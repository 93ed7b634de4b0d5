"""Colour stated by other means than a profile or PNG's chunks: EXIF, headers of BMP, extensions of GIF and TGA, JP2.

Truth: Adobe RGB (1998) through LittleCMS with the profile's published colorants; headers written byte by byte from the
standards; an image that states nothing for comparison.
"""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from images_by_hand import chunk, png, tiff
from PIL import Image, ImageCms

from vitiq.errors import InputError
from vitiq.image.exif_colour import UNNAMED
from vitiq.image.read import decode_image
from vitiq.types import ImageU8

RAMP = np.linspace(0, 255, 64 * 3).reshape(8, 8, 3).astype(np.uint8)
COLORANTS = {
    b"rXYZ": (0.60974, 0.31111, 0.01947),
    b"gXYZ": (0.20528, 0.62567, 0.06087),
    b"bXYZ": (0.14919, 0.06322, 0.74457),
    b"wtpt": (0.9642, 1.0, 0.8249),
}
"""Of Adobe's own profile, D50."""


def adobe_profile(xyz_type: bytes = b"XYZ ") -> bytes:
    """AdobeRGB1998.icc by its published numbers: colorants, and 2.19921875 as the gamma."""
    tags = {
        key: xyz_type + bytes(4) + struct.pack(">3i", *[round(v * 65_536) for v in xyz])
        for key, xyz in COLORANTS.items()
    }
    tags |= {key: b"curv\0\0\0\0" + struct.pack(">IHH", 1, 0x0233, 0) for key in (b"rTRC", b"gTRC", b"bTRC")}
    table, body, offset = b"", b"", 132 + 12 * len(tags)
    for key, value in tags.items():
        table += struct.pack(">4sII", key, offset + len(body), len(value))
        body += value
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"ADBE", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


def exif(space: int, index: bytes | None = None) -> bytes:
    """A TIFF block whose EXIF directory states a colour space, and an interoperability index if given."""
    count = 1 if index is None else 2
    inner = struct.pack("<HHHIHH", count, 0xA001, 3, 1, space, 0)
    at = 8 + 2 + 12 + 4
    if index is not None:
        after = at + 2 + 12 * count + 4
        inner += struct.pack("<HHII", 0xA005, 4, 1, after)
        inner += bytes(4) + struct.pack("<HHHI4s", 1, 1, 2, 4, index) + bytes(4)
    return b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, at, 0) + inner + bytes(4)


def read(data: bytes) -> tuple[ImageU8, list[str]]:
    return decode_image(data, "x")


def saved(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image or Image.fromarray(RAMP)).save(buffer, form, **options)
    return buffer.getvalue()


def from_adobe(samples: ImageU8) -> ImageU8:
    source = ImageCms.ImageCmsProfile(io.BytesIO(adobe_profile()))
    return np.asarray(ImageCms.profileToProfile(Image.fromarray(samples), source, ImageCms.createProfile("sRGB")))


FILES = {
    "JPEG": lambda block: saved("JPEG", quality=95, exif=b"Exif\0\0" + block),
    "PNG": lambda block: png(RAMP, chunk(b"eXIf", block)),
    "WebP": lambda block: saved("WEBP", lossless=True, exif=block),
}


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("block", [exif(65_535, b"R03\0"), exif(2)])
def test_adobe_rgb_stated_in_exif_is_converted(form: str, block: bytes) -> None:
    plain, _ = read(FILES[form](exif(1)))
    image, notes = read(FILES[form](block))
    assert notes == ["converted from Adobe RGB (stated in its EXIF) to sRGB"]
    assert np.abs(image.astype(int) - from_adobe(plain)).max() <= 1
    assert np.abs(image.astype(int) - plain).max() > 5


def test_adobe_rgb_stated_in_a_tiffs_exif() -> None:
    tags = {256: ("H", (8,)), 257: ("H", (8,)), 258: ("H", (8, 8, 8)), 259: ("H", (1,)), 262: ("H", (2,)),
            277: ("H", (3,)), 278: ("H", (8,)), 34665: ("I", (0,))}  # fmt: skip
    at = len(tiff(tags, RAMP.tobytes()))
    inner = struct.pack("<HHHIHHI", 1, 0xA001, 3, 1, 2, 0, 0)
    image, notes = read(tiff({**tags, 34665: ("I", (at,))}, RAMP.tobytes()) + inner)
    assert notes == ["converted from Adobe RGB (stated in its EXIF) to sRGB"]
    assert np.abs(image.astype(int) - from_adobe(RAMP)).max() <= 1


@pytest.mark.parametrize("form", FILES)
def test_a_colour_space_without_a_name_is_said(form: str) -> None:
    for block in (exif(65_535), exif(65_535, b"R98\0")):
        assert read(FILES[form](block))[1] == [UNNAMED]
    assert read(FILES[form](exif(1)))[1] == []


def test_a_profile_decides_over_exif() -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    block = b"Exif\0\0" + exif(65_535, b"R03\0")
    image, notes = read(saved("JPEG", quality=95, exif=block, icc_profile=own))
    assert (image == read(saved("JPEG", quality=95))[0]).all()
    assert notes == []


def bmp(
    kind: int, points: tuple[float, ...] = (0,) * 9, gammas: tuple[float, ...] = (0,) * 3, profile: bytes = b""
) -> bytes:
    """A BMP with a version 5 header, bottom row first, blue first."""
    rows = RAMP[::-1, :, ::-1].tobytes()
    start = 14 + 124
    head = struct.pack("<IiiHHIIiiII", 124, 8, 8, 1, 24, 0, len(rows), 0, 0, 0, 0) + bytes(16) + struct.pack("<I", kind)
    head += struct.pack("<9I", *[round(v * 2**30) for v in points]) + struct.pack(
        "<3I", *[round(v * 65_536) for v in gammas]
    )
    head += struct.pack("<IIII", 4, 124 + len(rows), len(profile), 0)
    return struct.pack("<2sIHHI", b"BM", start + len(rows) + len(profile), 0, 0, start) + head + rows + profile


ADOBE_XYZ = (0.57667, 0.29734, 0.02703, 0.18556, 0.62736, 0.07069, 0.18823, 0.07529, 0.99134)
"""Light of Adobe RGB's red, green and blue under D65 (Adobe RGB (1998), 4.3.5.3)."""


def test_colour_in_the_header_of_a_bmp() -> None:
    for untouched in (bmp(0x73524742), bmp(0x57696E20), bmp(0)):
        image, notes = read(untouched)
        assert (image == RAMP).all()
        assert notes == []
    image, notes = read(bmp(0, ADOBE_XYZ, (2.19921875,) * 3))
    assert np.abs(image.astype(int) - from_adobe(RAMP)).max() <= 1
    assert notes == ["converted from the endpoints of its BMP header to sRGB"]
    image, notes = read(bmp(0x4D424544, profile=adobe_profile()))
    assert np.abs(image.astype(int) - from_adobe(RAMP)).max() <= 1
    assert notes == ["converted from the profile 'without a name' to sRGB"]
    assert read(bmp(0x4C494E4B, profile=b"C:\\x.icc"))[1] == ["colour profile in another file ignored, read as sRGB"]


def test_the_mistaken_type_of_corbis_profiles_is_read_as_it_is_meant() -> None:
    """As LittleCMS reads it (cmsSigCorbisBrokenXYZtype, 0x17A505B8): images of 1998 and later carry it."""
    for kind in (b"XYZ ", bytes.fromhex("17a505b8")):
        image, notes = read(bmp(0x4D424544, profile=adobe_profile(kind)))
        assert np.abs(image.astype(int) - from_adobe(RAMP)).max() <= 1
        assert notes == ["converted from the profile 'without a name' to sRGB"]


@pytest.mark.parametrize("gammas", [(99.0, 1.0, 1.0), (2.2, 2.2, 0.0)])
def test_senseless_endpoints_of_a_bmp_are_ignored_with_a_note(gammas: tuple[float, ...]) -> None:
    image, notes = read(bmp(0, ADOBE_XYZ, gammas))
    assert (image == RAMP).all()
    assert notes == ["unusable colour endpoints of the BMP header ignored"]


def test_the_profile_of_a_gif() -> None:
    plain = saved("GIF", Image.fromarray(RAMP).quantize(64))
    profile = adobe_profile()
    parts = b"".join(bytes([len(profile[i : i + 255])]) + profile[i : i + 255] for i in range(0, len(profile), 255))
    at = 13 + 3 * 2 ** ((plain[10] & 7) + 1)  # behind the colour table
    image, notes = read(plain[:at] + b"!\xff\x0bICCRGBG1012" + parts + b"\0" + plain[at:])
    assert np.abs(image.astype(int) - from_adobe(read(plain)[0])).max() <= 1
    assert notes == ["converted from the profile 'without a name' to sRGB"]


def test_the_gamma_of_a_tga_is_said() -> None:
    pixels = saved("TGA").removesuffix(b"")
    body = pixels[:-26] if pixels.endswith(b"TRUEVISION-XFILE.\0") else pixels
    for gamma, said in (((10, 18), 1), ((22, 10), 0), ((0, 0), 0)):
        area = struct.pack("<H", 495) + bytes(476) + struct.pack("<HH", *gamma) + bytes(13)
        end = struct.pack("<II", len(body), 0) + b"TRUEVISION-XFILE.\0"
        image, notes = read(body + area + end)
        assert (image == RAMP).all()
        assert len(notes) == said


def test_colour_spaces_of_jpeg_2000_that_nobody_converts_are_refused_by_number() -> None:
    data = saved("JPEG2000")
    at = data.index(b"colr") + 7
    assert read(data)[1] == []
    with pytest.raises(InputError, match="colour space number 14"):
        read(data[:at] + struct.pack(">I", 14) + data[at + 4 :])


def test_chromaticities_without_a_curve_are_said() -> None:
    def chrm(*values: float) -> bytes:
        return chunk(b"cHRM", struct.pack(">8I", *[round(v * 100_000) for v in values]))

    image, notes = read(png(RAMP, chrm(0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)))
    assert (image == RAMP).all()
    assert notes == ["cHRM chunk without gAMA ignored, read as sRGB"]
    assert read(png(RAMP, chrm(0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)))[1] == []
