"""Colour of image files becomes 8-bit sRGB: profiles, PNG's chunks, nclx, HDR.

Truth: values worked out here by the formulas of IEC 61966-2-1 and PNG (third edition), LittleCMS for profiles (an
independent implementation), and PngSuite's idea that one scene stored with different gAMA looks the same.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from images_by_hand import chunk, png
from PIL import Image, ImageCms

from vitiq.errors import InputError
from vitiq.image.png import TOO_FEW_BITS
from vitiq.image.read import decode_image, read_image_details
from vitiq.types import ImageU8

RAMP = np.linspace(0, 255, 64 * 3).reshape(8, 8, 3).astype(np.uint8)


def encode(light: np.ndarray) -> np.ndarray:
    """sRGB's curve, from light: IEC 61966-2-1."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def gama(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def chrm(*values: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *[round(v * 100_000) for v in values]))


def cicp(primaries: int, transfer: int, full_range: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, 0, full_range]))


SRGB_POINTS = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_POINTS = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)


def curve_profile(
    curve: bytes, description: str = "test", space: bytes = b"RGB ", extra: dict[bytes, bytes] | None = None
) -> bytes:
    """A version 2 matrix or grey profile with sRGB's colorants and one curve."""
    text = description.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(79),
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", *[round(v * 65_536) for v in (0.9642, 1.0, 0.8249)]),
    }
    if space == b"RGB ":
        colorants = (
            (0.4360747, 0.2225045, 0.0139322),
            (0.3850649, 0.7168786, 0.0971045),
            (0.1430804, 0.0606169, 0.7141733),
        )
        for name, xyz in zip(b"rgb", colorants, strict=True):
            tags[bytes([name]) + b"XYZ"] = b"XYZ \0\0\0\0" + struct.pack(">3i", *[round(v * 65_536) for v in xyz])
            tags[bytes([name]) + b"TRC"] = curve
    else:
        tags[b"kTRC"] = curve
    tags |= extra or {}
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for key, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", key, offset + len(body), len(value))
        body += padded
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02100000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


LINEAR = b"curv\0\0\0\0\0\0\0\0"
GAMMA_18 = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(1.8 * 256))


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"name\0\0" + zlib.compress(profile))


def read(data: bytes) -> tuple[ImageU8, list[str]]:
    return decode_image(data, "x")


def through_littlecms(samples: ImageU8, profile: bytes) -> ImageU8:
    converted = ImageCms.profileToProfile(
        Image.fromarray(samples), ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    )
    return np.asarray(converted)


def test_a_linear_light_profile_is_converted_whatever_its_name() -> None:
    image, notes = read(png(RAMP, iccp(curve_profile(LINEAR, "sRGB linear (looks like sRGB)"))))
    expected = np.rint(255 * encode(RAMP / 255))
    assert np.abs(image - expected).max() <= 1  # the colorants are rounded to 16 bits
    assert int(image[2, 0, 0]) - int(RAMP[2, 0, 0]) > 50
    assert notes == ["converted from the profile 'sRGB linear (looks like sRGB)' to sRGB"]


@pytest.mark.parametrize("curve", [LINEAR, GAMMA_18])
def test_profiles_agree_with_littlecms(curve: bytes) -> None:
    profile = curve_profile(curve)
    assert np.abs(read(png(RAMP, iccp(profile)))[0].astype(int) - through_littlecms(RAMP, profile)).max() <= 1


def test_a_profile_that_is_srgb_changes_nothing_whatever_its_name() -> None:
    curve = b"para\0\0\0\0\0\3\0\0" + struct.pack(
        ">5i", *[round(v * 65_536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)]
    )
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (curve_profile(curve, "Adobe RGB (1998)"), own):
        image, notes = read(png(RAMP, iccp(profile)))
        assert (image == RAMP).all()
        assert notes == []


def test_grey_profiles_are_followed() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    image, notes = read(png(grey, iccp(curve_profile(LINEAR, "grey", b"GRAY"))))
    assert np.abs(image[:, :, 0] - np.rint(255 * encode(grey[:, :, 0] / 255))).max() == 0
    assert "converted from the profile 'grey' to sRGB" in notes


def test_a_profile_that_would_leave_nothing_of_the_image_is_ignored_with_a_note() -> None:
    """A matrix profile whose colorants make no white, or whose curve is flat, falls, or has a gamma of 0."""
    nothing = b"XYZ \0\0\0\0" + bytes(12)
    flat = b"curv\0\0\0\0" + struct.pack(">I4H", 4, *[40_000] * 4)
    falling = b"curv\0\0\0\0" + struct.pack(">I2H", 2, 65_535, 0)
    no_gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, 0)
    for profile in (
        curve_profile(LINEAR, extra={b"rXYZ": nothing}),
        curve_profile(LINEAR, extra={key + b"XYZ": nothing for key in (b"r", b"g", b"b")}),
        curve_profile(LINEAR, extra={b"gXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 65_536, 131_072, 65_536)}),
        *(curve_profile(LINEAR, extra={b"gTRC": curve}) for curve in (flat, falling, no_gamma)),
    ):
        image, notes = read(png(RAMP, iccp(profile)))
        assert (image == RAMP).all()
        assert [note.split(" (")[0] for note in notes] == ["unusable ICC profile ignored"]


def test_a_profile_of_old_that_leaves_its_white_unadapted_is_followed() -> None:
    columns = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    extra = {
        bytes([name]) + b"XYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", *[round(v * 65_536) for v in xyz])
        for name, xyz in zip(b"rgb", columns.tolist(), strict=True)
    }
    assert read(png(RAMP, iccp(curve_profile(LINEAR, extra=extra))))[1] == ["converted from the profile 'test' to sRGB"]


def test_a_profile_for_other_samples_and_broken_ones_are_ignored_with_a_note() -> None:
    for profile in (curve_profile(LINEAR, "grey", b"GRAY"), b"no profile", curve_profile(LINEAR)[:300]):
        image, notes = read(png(RAMP, iccp(profile)))
        assert (image == RAMP).all()
        assert [note.split(" (")[0] for note in notes] == ["unusable ICC profile ignored"]


def test_a_huge_profile_is_not_unpacked() -> None:
    bomb = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(2**26)))
    assert read(png(RAMP, bomb))[1] == ["unusable ICC profile ignored"]


def test_cmyk_profiles_go_through_littlecms(tmp_path: Path) -> None:
    """No CMYK profile ships with Pillow, so a broken one: the plain rule is used, and both are said."""
    path = tmp_path / "c.jpg"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path, quality=100, icc_profile=curve_profile(LINEAR))
    image, notes = read_image_details(path)
    assert np.abs(image.astype(int) - (255, 0, 0)).max() <= 2
    assert [note.split(" (")[0] for note in notes] == ["unusable ICC profile ignored", "CMYK converted to RGB"]


@pytest.mark.parametrize("gamma", [1.0, 0.625, 0.35])
def test_gama_is_followed(gamma: float) -> None:
    image, notes = read(png(RAMP, gama(gamma)))
    assert np.abs(image - np.rint(255 * encode((RAMP / 255) ** (1 / gamma)))).max() <= 1
    assert notes == [f"converted from gAMA {gamma:g} to sRGB"]


def test_gama_of_srgb_writers_is_srgb() -> None:
    image, notes = read(png(RAMP, gama(0.45455), chrm(*SRGB_POINTS)))
    assert (image == RAMP).all()
    assert notes == []


def test_one_scene_of_two_gammas_looks_the_same() -> None:
    light = np.linspace(0, 1, 16 * 16 * 3).reshape(16, 16, 3)
    images = [read(png(np.rint(65_535 * light**gamma).astype(np.uint16), gama(gamma)))[0] for gamma in (1.0, 0.5)]
    assert np.abs(images[0].astype(int) - images[1]).max() <= 1
    assert np.abs(images[0] - np.rint(255 * encode(light))).max() <= 1


def test_chromaticities_are_followed() -> None:
    image, _ = read(png(RAMP, gama(0.45455), chrm(*P3_POINTS)))
    same, _ = read(png(RAMP, cicp(12, 13)))
    assert (image == same).all()
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2)
    assert (read(png(grey, cicp(12, 13)))[0] == grey).all()  # one white, one curve
    # Display P3's pure green lies outside sRGB: red and blue are clipped to 0. Its grey axis stays. Hand value:
    # P3 (0.5, 0.5, 0) in light = 0.2140; M·(l, l, 0) = (1.2249-0.2247)l, (-0.0420+1.0419)l, (-0.0196-0.0786)l.
    half = np.full((1, 1, 3), (128, 128, 0), np.uint8)
    assert np.abs(read(png(half, cicp(12, 13)))[0][0, 0].astype(int) - (128, 128, 0)).max() <= 1


def test_samples_of_narrow_range_are_expanded() -> None:
    """H.273, 8.3: of n bits, R = (219 E + 16) 2^(n-8), here of E = 0, 0.2, 0.5 and 1, and beyond black and white."""
    for dtype, unit in ((np.uint8, 1), (np.uint16, 256)):
        codes = np.array([16, 16 + 219 * 0.2, 16 + 219 * 0.5, 235, 3, 250]) * unit
        wide = np.repeat(np.rint(codes).astype(dtype)[None, :, None], 3, 2)
        image, notes = read(png(wide, cicp(1, 13, full_range=0)))
        assert np.abs(image[0, :, 0] - [0, 51, 127.5, 255, 0, 255]).max() <= 0.6
        assert any("narrow range of cICP" in note and "expanded" in note for note in notes)
        assert not any("narrow" in note for note in read(png(wide, cicp(1, 13)))[1])
    # The expanded samples are what the curve is of: half of linear light is 188 of sRGB.
    half = np.full((1, 1, 3), round(256 * (16 + 219 * 0.5)), np.uint16)
    assert (read(png(half, cicp(1, 8, full_range=0)))[0] == round(255 * float(encode(np.array(0.5))))).all()


def test_narrow_range_of_samples_too_small_for_it_is_ignored_with_a_note() -> None:
    head = struct.pack(">IIBBBBB", 8, 1, 1, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + cicp(1, 13, full_range=0) + chunk(b"IDAT", zlib.compress(b"\0\xaa"))
    image, notes = read(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))
    assert image[0, :, 0].tolist() == [255, 0] * 4
    assert TOO_FEW_BITS in notes


def test_precedence_of_chunks() -> None:
    """PNG, third edition, 4.3: cICP over iCCP over sRGB over gAMA and cHRM."""
    linear = np.rint(255 * encode(RAMP / 255))
    srgb = chunk(b"sRGB", b"\0")
    assert (read(png(RAMP, cicp(1, 13), iccp(curve_profile(LINEAR)), gama(1)))[0] == RAMP).all()
    assert np.abs(read(png(RAMP, iccp(curve_profile(LINEAR)), srgb))[0] - linear).max() <= 1
    assert (read(png(RAMP, srgb, gama(1)))[0] == RAMP).all()
    assert np.abs(read(png(RAMP, gama(1)))[0] - linear).max() <= 1
    assert (read(png(RAMP, chrm(*P3_POINTS)))[0] == RAMP).all()  # without gAMA it says nothing


@pytest.mark.parametrize("extra", [gama(0), chunk(b"gAMA", b"\0"), gama(1) + chrm(*[0.0] * 8)])
def test_senseless_colour_chunks_are_ignored_with_a_note(extra: bytes) -> None:
    image, notes = read(png(RAMP, extra))
    assert (image == RAMP).all()
    assert len(notes) == 1
    assert "ignored" in notes[0]


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_by_name(transfer: int, name: str) -> None:
    tag = b"cicp\0\0\0\0" + bytes([9, transfer, 0, 1])
    for extra in (cicp(9, transfer), iccp(curve_profile(LINEAR, extra={b"cicp": tag}))):
        with pytest.raises(InputError, match=f"HDR.*{name}.*tone mapping"):
            read(png(RAMP, extra))


def with_nclx(data: bytes, primaries: int, transfer: int) -> bytes:
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def test_avif_colour() -> None:
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, "AVIF", quality=100, subsampling="4:4:4")
    plain, notes = read(buffer.getvalue())
    assert notes == []
    wide, notes = read(with_nclx(buffer.getvalue(), 9, 13))
    assert notes == ["converted from BT.2020 to sRGB"]
    assert np.abs(wide.astype(int) - read(png(plain, cicp(9, 13)))[0]).max() == 0
    with pytest.raises(InputError, match=r"HDR.*PQ"):
        read(with_nclx(buffer.getvalue(), 9, 16))


def test_a_gain_map_is_reported() -> None:
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, "JPEG", quality=95)
    data = buffer.getvalue()
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>'
    ultra = data[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + data[2:] + data
    image, notes = read(ultra)
    assert (image == read(data)[0]).all()
    assert notes == ["HDR gain map left out, the SDR image is read"]


def test_lab_tiff(tmp_path: Path) -> None:
    """L* = 100, a* = b* = 0 is white; L* = 50 is light of 0.184, sRGB 119 (CIE 15)."""
    for lightness, grey in ((255, 255), (128, 119)):
        Image.new("LAB", (4, 4), (lightness, 128, 128)).save(tmp_path / "lab.tif")
        image, notes = read_image_details(tmp_path / "lab.tif")
        assert np.abs(image.astype(int) - grey).max() <= 2
        assert notes == ["CIE L*a*b* converted to sRGB"]
