"""TIFFs of kinds that are rare but whole: every depth, palettes, YCbCr by its coefficients, further channels.

Truth: files written byte by byte here from TIFF 6.0; v · 255 / (2^bits - 1) rounded; for YCbCr the equations of section
21 computed here. libtiff's test files (flower-*, depth) come out as tifffile 2026.3.3 reads them
(tests/hardening/public_sets.py).
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from images_by_hand import tiff
from PIL import Image

from vitiq.errors import InputError
from vitiq.image.read import decode_image

Tags = dict[int, tuple[str, tuple[int, ...]]]


def tags(size: tuple[int, int], bits: tuple[int, ...], photometric: int, **more: int) -> Tags:
    """Of width and height; more: t259=8 and so on."""
    found: Tags = {256: ("I", (size[0],)), 257: ("I", (size[1],)), 258: ("H", bits), 262: ("H", (photometric,))}
    found |= {259: ("H", (1,)), 277: ("H", (len(bits),)), 278: ("I", (size[1],))}
    return found | {int(key[1:]): ("H", (value,)) for key, value in more.items()}


def bitwise(samples: np.ndarray, bits: int) -> bytes:
    """Rows of samples, the highest bit first, each row beginning with a byte."""
    out = b""
    for row in samples.reshape(len(samples), -1).tolist():
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        out += int(text, 2).to_bytes(len(text) // 8, "big")
    return out


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("compression", [1, 8])
def test_every_depth_is_scaled_to_its_whole_range(bits: int, channels: int, compression: int) -> None:
    samples = np.random.default_rng(bits).integers(0, 2**bits, (5, 7, channels))
    samples[0, 0], samples[0, 1] = 0, 2**bits - 1
    strip = bitwise(samples, bits)
    strip = zlib.compress(strip) if compression == 8 else strip
    kind = tags((7, 5), (bits,) * channels, 2 if channels == 3 else 1, t259=compression)
    image, notes = decode_image(tiff(kind, strip), "x")
    expected = np.rint(samples * 255 / (2**bits - 1))
    assert (image == np.broadcast_to(expected, (5, 7, 3))).all()
    assert ("grey repeated in three channels" in notes) == (channels == 1)
    assert (f"{bits} bits rounded to 8" in notes) == (bits > 8)


@pytest.mark.parametrize("bits", [4, 12])
def test_alpha_of_odd_depths(bits: int) -> None:
    top = 2**bits - 1
    samples = np.array([[[top, 0, 0, top], [0, 0, 0, 0]]])
    image, _ = decode_image(tiff(tags((2, 1), (bits,) * 4, 2, t338=2), bitwise(samples, bits)), "x")
    assert image.tolist() == [[[255, 0, 0], [255] * 3]]


@pytest.mark.parametrize(
    ("bits", "scale", "said"), [(4, 257, []), (8, 257, []), (8, 1, True), (16, 257, []), (4, 1, True)]
)
def test_palettes_of_16_and_mistakenly_of_8_bits(bits: int, scale: int, said: object) -> None:
    """libtiff takes a map of which no value passes 255 as one of 8 bits; by the standard it would all be black."""
    colours = np.zeros((2**bits, 3), np.int64)
    colours[:3] = [[9, 8, 7], [200, 100, 50], [1, 2, 255]]
    indices = np.array([[0, 1], [2, 1]])
    strip = indices.astype("<u2").tobytes() if bits == 16 else bitwise(indices, bits)
    kind = tags((2, 2), (bits,), 3) | {320: ("H", tuple((colours.T * scale).ravel().tolist()))}
    image, notes = decode_image(tiff(kind, strip), "x")
    assert (image == colours[indices]).all()
    assert notes == (["palette read as one of 8-bit colours"] if scale == 1 else [])


def test_a_palette_too_short() -> None:
    kind = tags((3, 1), (8,), 3) | {320: ("H", (0, 65_535, 0, 257, 0, 514))}
    image, notes = decode_image(tiff(kind, b"\0\1\2"), "x")
    assert image.tolist() == [[[0, 0, 0], [255, 1, 2], [0, 0, 0]]]
    assert notes == ["1 pixels of colours that the palette lacks, read as black"]


@pytest.mark.parametrize("weights", [(0.299, 0.587, 0.114), (0.2126, 0.7152, 0.0722)])
@pytest.mark.parametrize("steps", [(1, 1), (2, 2), (2, 1)])
def test_uncompressed_ycbcr_by_its_coefficients_and_subsampling(
    weights: tuple[float, float, float], steps: tuple[int, int]
) -> None:
    """A data unit holds the luma of a block, row by row, then Cb and Cr (TIFF 6.0, section 21)."""
    luma = np.random.default_rng(3).integers(60, 190, (4, 8))
    chroma = np.random.default_rng(4).integers(100, 156, (4 // steps[1], 8 // steps[0], 2))
    strip = b""
    for top in range(0, 4, steps[1]):
        for left in range(0, 8, steps[0]):
            block = luma[top : top + steps[1], left : left + steps[0]].ravel()
            strip += bytes([*block.tolist(), *chroma[top // steps[1], left // steps[0]].tolist()])
    kind = tags((8, 4), (8, 8, 8), 6) | {530: ("H", steps)}
    data = bytearray(tiff(kind | {529: ("I", tuple(n for w in weights for n in (round(w * 10_000), 10_000)))}, strip))
    at = data.index(b"\x11\x02\x04\0\x06")  # tag 529 as six numbers of 32 bits: three fractions
    data[at + 2 : at + 8] = b"\x05\0\x03\0\0\0"
    image, _ = decode_image(bytes(data), "x")
    blue_d, red_d = np.moveaxis(np.repeat(np.repeat(chroma, steps[1], 0), steps[0], 1) - 128.0, 2, 0)
    red, blue = luma + red_d * (2 - 2 * weights[0]), luma + blue_d * (2 - 2 * weights[2])
    green = (luma - weights[0] * red - weights[2] * blue) / weights[1]
    expected = np.clip(np.stack([red, green, blue], 2), 0, 255)
    assert np.abs(image - expected).max() <= 1.5


@pytest.mark.parametrize("meaning", [0, 999])
def test_channels_of_unknown_meaning_are_left_out_and_said(meaning: int) -> None:
    """ExtraSamples of 0, unspecified, and 999, which no version of TIFF defines."""
    image, notes = decode_image(tiff(tags((2, 1), (8, 8), 1, t338=meaning), b"\7\1\x09\2"), "x")
    assert image[:, :, 0].tolist() == [[7, 9]]
    assert sorted(notes) == ["extra channel ignored", "grey repeated in three channels"]


def strip_of(rows: np.ndarray, compression: str) -> bytes:
    """Rows as libtiff compresses them."""
    buffer = io.BytesIO()
    Image.fromarray(rows).save(buffer, "TIFF", compression=compression)
    with tifffile.TiffFile(io.BytesIO(buffer.getvalue())) as file:
        page = file.pages.first
        (start,), (count,) = page.dataoffsets, page.databytecounts
    return buffer.getvalue()[start : start + count]


COMPRESSIONS = {None: 1, "tiff_lzw": 5, "tiff_adobe_deflate": 8, "packbits": 32773}
"""Pillow's names, and TIFF's numbers."""


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("photometric", ["rgb", "minisblack", "miniswhite"])
def test_bigtiff_with_the_high_byte_first(compression: str | None, photometric: str, tmp_path: Path) -> None:
    samples = np.random.default_rng(5).integers(0, 256, (9, 7, 3) if photometric == "rgb" else (9, 7), np.uint8)
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, samples, photometric=photometric, bigtiff=True, byteorder=">", rowsperstrip=4)
    if compression is not None:
        strips = [strip_of(samples[top : top + 4], compression) for top in range(0, 9, 4)]
        starts = np.cumsum([path.stat().st_size, *map(len, strips)])[:-1].tolist()
        with path.open("ab") as end:
            end.write(b"".join(strips))
        with tifffile.TiffFile(path, mode="r+") as file:
            tags_of = file.pages.first.tags
            tags_of["StripOffsets"].overwrite(starts)
            tags_of["StripByteCounts"].overwrite([len(strip) for strip in strips])
            tags_of["Compression"].overwrite(COMPRESSIONS[compression])
    shown = 255 - samples if photometric == "miniswhite" else samples
    assert (decode_image(path.read_bytes(), "x")[0] == np.atleast_3d(shown)).all()


def test_what_is_missing_is_refused() -> None:
    whole = bitwise(np.zeros((3, 5, 3), int), 10)
    with pytest.raises(InputError, match="a strip or tile is cut short"):
        decode_image(tiff(tags((5, 3), (10,) * 3, 2), whole[:-1]), "x")
    with pytest.raises(InputError, match="a palette of 0 numbers"):
        decode_image(tiff(tags((2, 1), (8,), 3), b"\0\1"), "x")


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_damaged_fax_coding_is_no_white_paper(compression: str) -> None:
    """libtiff reports it ("Bad code word at line …"), makes the rows white and tells its caller that all went well."""
    page = np.random.default_rng(6).integers(0, 2, (64, 200)).astype(bool).repeat(3, 1)
    buffer = io.BytesIO()
    Image.fromarray(page).save(buffer, "TIFF", compression=compression)
    whole = buffer.getvalue()
    image, notes = decode_image(whole, "x")
    assert (image[:, :, 0] == page * np.uint8(255)).all()
    assert notes == ["grey repeated in three channels"]
    with Image.open(io.BytesIO(whole)) as opened:
        start = opened.tag_v2[273][0]  # type: ignore[attr-defined]
    damaged = whole[: start + 400] + bytes(range(1, 9)) * 4 + whole[start + 432 :]
    with pytest.raises(InputError, match=r"damaged .libtiff reports damaged pixels, \d+ times .Fax"):
        decode_image(damaged, "x")


def test_a_tag_that_libtiff_complains_of_stops_no_image() -> None:
    """Undefined numbers of resolution unit and planes: said under other names than a decoder's."""
    kind = tags((2, 1), (8,), 1) | {296: ("I", (70_000,)), 254: ("H", (0,)), 284: ("H", (9,))}
    image, _ = decode_image(tiff(kind, b"\7\x09"), "x")
    assert image[0, :, 0].tolist() == [7, 9]


def test_tiles_that_are_named_strips() -> None:
    """As in libtiff's cramps-tile.tif: offsets and lengths of tiles stand under the numbers of strips."""
    samples = np.random.default_rng(7).integers(0, 256, (16, 16), np.uint8)
    data = tiff(tags((5, 3), (8,), 0, t322=16, t323=16), samples.tobytes())
    assert (decode_image(data, "x")[0][:, :, 0] == 255 - samples[:3, :5]).all()


@pytest.mark.parametrize(("bits", "predictor"), [(12, 3), (4, 3), (16, 3), (16, 9)])
def test_a_predictor_that_is_not_defined_for_the_samples_is_named(bits: int, predictor: int) -> None:
    strip = zlib.compress(bytes(40))
    kind = tags((4, 3), (bits,) * 3, 2, t259=8, t317=predictor)
    with pytest.raises(InputError, match=f"TIFF of {bits}-bit samples with predictor {predictor}, which vitiq cannot"):
        decode_image(tiff(kind, strip), "x")


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
def test_differences_of_samples_that_are_no_whole_bytes(bits: int, channels: int) -> None:
    """TIFF 6.0, section 14: each sample less the one before it of the same channel, modulo its range."""
    samples = np.random.default_rng(bits).integers(0, 2**bits, (5, 7, channels))
    differences = np.diff(samples, axis=1, prepend=0) % 2**bits
    kind = tags((7, 5), (bits,) * channels, 2 if channels == 3 else 1, t259=8, t317=2)
    image, _ = decode_image(tiff(kind, zlib.compress(bitwise(differences, bits))), "x")
    assert (image == np.broadcast_to(np.rint(samples * 255 / (2**bits - 1)), (5, 7, 3))).all()


def test_deflate_under_the_number_that_pixtiff_gives_it() -> None:
    samples = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    image, _ = decode_image(tiff(tags((7, 5), (8,) * 3, 2, t259=50013), zlib.compress(samples.tobytes())), "x")
    assert (image == samples).all()


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_whole_jpeg_within_old_jpeg_coding(orientation: int) -> None:
    """One tile that is larger than the image; libtiff refuses it."""
    samples = np.add.outer(np.arange(16) * 9, np.arange(32) * 3)
    buffer = io.BytesIO()
    Image.fromarray(samples.astype(np.uint8)).save(buffer, "JPEG", quality=95)
    jpeg = buffer.getvalue()
    kind = tags((30, 13), (8,), 1, t259=6, t512=1, t274=orientation)
    kind |= {513: ("I", (0,)), 514: ("I", (len(jpeg),)), 322: ("H", (32,)), 323: ("H", (16,))}
    data = tiff(kind, jpeg)
    data = data.replace(struct.pack("<HHII", 513, 4, 1, 0), struct.pack("<HHII", 513, 4, 1, len(data) - len(jpeg)))
    expected, _ = decode_image(jpeg, "x.jpg")
    expected = expected[:13, :30]
    image, notes = decode_image(data, "x.tif")
    assert (image == (expected if orientation == 1 else np.rot90(expected, -1))).all()
    assert ("turned by its stated orientation" in notes) == (orientation == 6)
    with pytest.raises(InputError, match="damaged"):
        decode_image(data[:-9], "x.tif")


LAB = np.random.default_rng(4).integers((60, 0, 0), (220, 60, 60), (9, 11, 3)) - (0, 30, 30)
"""L* from 0 to 255, a* and b* from -30 to 30: colours that lie within sRGB."""


def lab_strip(bits: int, *more: np.ndarray) -> bytes:
    scale = 257 if bits == 16 else 1
    values = np.stack([LAB[:, :, 0] * scale, *(LAB[:, :, at] * (256 if bits == 16 else 1) for at in (1, 2)), *more], 2)
    packed: np.ndarray = (values % 2**bits).astype(f"<u{bits // 8}")
    return packed.tobytes()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", [False, True])
def test_lab_of_16_bits_and_with_alpha(bits: int, alpha: bool) -> None:
    plain, _ = decode_image(tiff(tags((11, 9), (8,) * 3, 8), lab_strip(8)), "x")  # through LittleCMS
    cover = np.random.default_rng(5).integers(0, 256, (9, 11))
    kind = tags((11, 9), (bits,) * (3 + alpha), 8, **({"t338": 2} if alpha else {}))
    image, notes = decode_image(tiff(kind, lab_strip(bits, *([cover * (257 if bits == 16 else 1)] * alpha))), "x")
    weight = (cover if alpha else np.full((9, 11), 255))[:, :, None] / 255
    apart = np.abs(image - (plain * weight + 255 * (1 - weight)))
    assert apart.max() <= 5  # LittleCMS computes dark values of a channel with 8 bits
    assert apart.mean() < 0.6
    assert "CIE L*a*b* converted to sRGB" in notes


def test_greys_of_lab_are_exact() -> None:
    """CIE: Y = ((L* + 16) / 116)³ above 8, then sRGB's curve (IEC 61966-2-1)."""
    levels = np.arange(0, 65_536, 257)
    values = np.stack([levels, 0 * levels, 0 * levels], 1).astype("<u2")
    image, _ = decode_image(tiff(tags((256, 1), (16,) * 3, 8), values.tobytes()), "x")
    lightness = levels / 655.35
    light = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness * 27 / 24_389)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(image[0] - 255 * coded[:, None]).max() < 0.52


@pytest.mark.parametrize("bits", [(16,), (16, 16, 16)])
def test_the_tag_of_a_predictor_does_not_count_without_compression(bits: tuple[int, ...]) -> None:
    # As Pillow 13 and libvips 8.18 (libtiff) show them; tifffile 2026.3.3 applies it all the same.
    samples = np.random.default_rng(0).integers(0, 65536, (3, 4, len(bits))).astype("<u2")
    photometric = 2 if len(bits) == 3 else 1
    plain, _ = decode_image(tiff(tags((4, 3), bits, photometric), samples.tobytes()), "x")
    tagged, _ = decode_image(tiff(tags((4, 3), bits, photometric, t317=2), samples.tobytes()), "x")
    np.testing.assert_array_equal(tagged, plain)


def test_slices_of_a_volume_beyond_the_first_are_noted() -> None:
    samples = np.random.default_rng(3).integers(0, 256, (5, 7, 3))
    kind = tags((7, 5), (8, 8, 8), 2, t32997=4)
    image, notes = decode_image(tiff(kind, samples.astype(np.uint8).tobytes() * 4), "x")
    assert (image == samples).all()
    assert notes == ["first of 4 slices"]


def test_no_warning_of_pillow_is_heard_of_damaged_tags(recwarn: pytest.WarningsRecorder) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (9, 99, 200)).save(buffer, "TIFF", compression="jpeg")
    whole = buffer.getvalue()
    entry = struct.pack("<HHI", 277, 3, 1)
    assert whole.count(entry) == 1
    with pytest.raises(InputError):
        decode_image(whole.replace(entry, struct.pack("<HHI", 277, 3, 127)), "x.tif")
    assert not [str(warning.message) for warning in recwarn]
