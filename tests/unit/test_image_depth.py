"""Samples of every depth and kind become 8 bits by rounding, or are refused by name.

Truth: v / 257 rounded (PNG, 13.12) worked out with numpy from the arrays that were written; tifffile, an independent
TIFF library, writes the TIFFs; floats of 0 … 1 are value × 255 rounded.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from images_by_hand import chunk, png
from images_by_hand import tiff as tiff_by_hand
from PIL import Image

from vitiq.errors import InputError
from vitiq.image.read import decode_image, read_image_details

DEEP = np.random.default_rng(3).integers(0, 65_536, (19, 23, 4), dtype=np.uint16)
EIGHT = np.rint(DEEP / 257).astype(np.uint8)


def on_white(samples: np.ndarray) -> np.ndarray:
    """What RGBA must become: both parts rounded to 8 bits, then laid on white, rounded."""
    cover = samples[:, :, 3:] / 255
    return np.rint(samples[:, :, :3] * cover + 255 * (1 - cover)).astype(np.uint8)


def tiff(samples: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png_is_rounded_not_cut(channels: int) -> None:
    picked = DEEP[:, :, [0, 3]] if channels == 2 else DEEP[:, :, :channels]
    image, notes = decode_image(png(picked), "x")
    colour = np.repeat(EIGHT[:, :, :1], 3, 2) if channels < 3 else EIGHT[:, :, :3]
    expected = on_white(np.dstack([colour, EIGHT[:, :, 3]])) if channels in {2, 4} else colour
    assert np.array_equal(image, expected)
    assert "16 bits rounded to 8" in notes


@pytest.mark.parametrize("filter_kind", range(5))
def test_filters_and_interlacing_of_deep_png(filter_kind: int) -> None:
    """The same pixels stored with each of PNG's filters (9.2), written here by its formulas."""
    big = DEEP[:, :, :3].astype(">u2")
    rows = [np.frombuffer(big[y].tobytes(), np.uint8).astype(int) for y in range(len(big))]
    out = b""
    above = np.zeros_like(rows[0])
    for row in rows:
        left = np.concatenate([np.zeros(6, int), row[:-6]])
        corner = np.concatenate([np.zeros(6, int), above[:-6]])
        p = left + above - corner
        a, b, c = abs(p - left), abs(p - above), abs(p - corner)
        paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))
        predicted = [np.zeros_like(row), left, above, (left + above) // 2, paeth][filter_kind]
        out += bytes([filter_kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes()
        above = row
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 23, 19, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(out)) + chunk(b"IEND", b"")
    assert np.array_equal(decode_image(data, "x")[0], EIGHT[:, :, :3])


def test_transparent_colours_are_compared_at_the_file_s_depth() -> None:
    """tRNS of a 16-bit image names one of 65,536 values; its neighbours, the same in 8 bits, stay."""
    samples = np.array([[[1000, 2000, 3000], [1001, 2000, 3000]]], np.uint16)
    image, _ = decode_image(png(samples, chunk(b"tRNS", struct.pack(">3H", 1000, 2000, 3000))), "x")
    assert image.tolist() == [[[255, 255, 255], [4, 8, 12]]]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_transparent_grey_of_few_bits(bits: int) -> None:
    top = 2**bits - 1
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, bits, 0, 0, 0, 0))
    row = bytes([0, (top << (8 - bits)) | 0])  # white, then black
    for key, expected in ((top, [255, 0]), (0, [255, 255])):
        trns = chunk(b"tRNS", struct.pack(">H", key))
        data = b"\x89PNG\r\n\x1a\n" + head + trns + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
        assert decode_image(data, "x")[0][0, :, 0].tolist() == expected


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"rowsperstrip": 5}, {"compression": "zlib"}])
def test_sixteen_bit_colour_tiff(order: str, planar: str, options: dict[str, object]) -> None:
    samples = DEEP[:, :, :3] if planar == "contig" else np.ascontiguousarray(DEEP[:, :, :3].transpose(2, 0, 1))
    data = tiff(samples, photometric="rgb", planarconfig=planar, byteorder=order, **options)
    image, notes = decode_image(data, "x")
    assert np.array_equal(image, EIGHT[:, :, :3])
    assert notes == ["16 bits rounded to 8"]


def test_horizontal_predictor() -> None:
    plain, _ = decode_image(tiff(DEEP[:, :, :3], photometric="rgb"), "x")
    packed, _ = decode_image(tiff(DEEP[:, :, :3], photometric="rgb", compression="zlib", predictor=True), "x")
    assert np.array_equal(plain, packed)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_floating_point_predictor(kind: str) -> None:
    """TIFF technical note 3: each row's bytes by significance, highest first, then differences of pixels."""
    values = (DEEP[:, :, :3] / 65_535).astype(kind)
    height, width, channels = values.shape
    size = values.dtype.itemsize
    big = values.astype(f">{kind}").view(np.uint8).reshape(height, width * channels, size)
    planes = big.transpose(0, 2, 1).reshape(height, size * width, channels).astype(int)
    planes[:, 1:] -= planes[:, :-1].copy()
    strip = (planes % 256).astype(np.uint8).tobytes()
    tags = {
        256: ("H", (width,)),
        257: ("H", (height,)),
        258: ("H", (8 * size,) * 3),
        259: ("H", (8,)),
        262: ("H", (2,)),
    }
    tags |= {277: ("H", (3,)), 278: ("H", (height,)), 317: ("H", (3,)), 339: ("H", (3, 3, 3))}
    image, _ = decode_image(tiff_by_hand(tags, zlib.compress(strip)), "x")
    assert np.abs(image - values.astype(float) * 255).max() <= 0.503


def test_lzw_is_unpacked_by_libtiff(tmp_path: Path) -> None:
    Image.fromarray(DEEP[:, :, 0]).save(tmp_path / "x.tif", compression="tiff_lzw")
    image, _ = read_image_details(tmp_path / "x.tif")
    assert np.array_equal(image[:, :, 0], EIGHT[:, :, 0])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_white_is_zero_is_turned_round(kind: type) -> None:
    samples: np.ndarray = np.array([[0, np.iinfo(kind).max, 1000 if kind is np.uint16 else 10]], kind)
    image, _ = decode_image(tiff(samples, photometric="miniswhite"), "x")
    last = round((65_535 - 1000) / 257) if kind is np.uint16 else 245
    assert image[0, :, 0].tolist() == [255, 0, last]


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
def test_alpha_of_tiff(extra: str) -> None:
    samples: np.ndarray = np.array([[[40_000, 20_000, 10_000, 32_768]]], np.uint16)
    if extra == "assocalpha":
        samples[:, :, :3] = samples[:, :, :3].astype(np.uint32) * 32_768 // 65_535
    image, notes = decode_image(tiff(samples, photometric="rgb", extrasamples=[extra]), "x")
    expected = [round(v / 257 * 0.502 + 255 * 0.498) for v in (40_000, 20_000, 10_000)]
    assert np.abs(image[0, 0].astype(int) - expected).max() <= 1
    assert "transparency laid on white" in notes


def test_floats_are_scaled_and_said() -> None:
    values = np.linspace(0, 1, 300).reshape(10, 10, 3).astype(np.float32)
    image, notes = decode_image(tiff(values, photometric="rgb"), "x")
    assert np.abs(image - values * 255).max() <= 0.503  # 16 bits between the two
    assert notes == ["floating point scaled from 0 … 1 to 8 bits"]


def test_floats_that_rounding_left_outside_are_cut() -> None:
    """As resampling leaves them: within half a level of 8 bits of black and white, which level is meant is known."""
    values = np.array([[-0.0019, 0.0, 0.5, 1.0, 1.00003, 1.0019]], np.float32)
    image, notes = decode_image(tiff(values, photometric="minisblack"), "x")
    assert image[0, :, 0].tolist() == [0, 0, 128, 255, 255, 255]
    assert "floating point scaled from 0 … 1 to 8 bits" in notes
    for value in (-0.0021, 1.0021):
        with pytest.raises(InputError, match="floating-point samples from"):
            decode_image(tiff(np.array([[0.5, value]], np.float32), photometric="minisblack"), "x")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([[0.5, np.inf]], np.float32), "1 of 2 floating-point samples are NaN or infinite"),
        (np.array([[0.5, np.nan]], np.float64), "NaN or infinite"),
        (np.array([[0.0, 255.0]], np.float32), "from 0 to 255, from 0 .black. to 1 .white. are expected"),
        (np.array([[-0.5, 0.5]], np.float32), "from -0.5 to 0.5"),
        (np.array([[1, 70_000]], np.uint32), "32-bit integers"),
        (np.array([[1, -70_000]], np.int32), "signed whole numbers"),
        (np.array([[1, -7]], np.int16), "signed whole numbers"),
        (np.array([[1, -7]], np.int8), "signed whole numbers"),
        (np.array([[1 + 2j]], np.complex64), "complex"),
    ],
)
def test_samples_without_black_and_white_are_refused_by_name(values: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        decode_image(tiff(values, photometric="minisblack"), "odd.tif")
    assert str(error.value).startswith("odd.tif: ")
    assert "give TIFF" not in str(error.value)


def test_camera_raw_files_are_refused_not_read_as_their_preview() -> None:
    dng = tiff(np.zeros((4, 4), np.uint8), extratags=[(50706, "B", 4, (1, 4, 0, 0), True)])
    preview = tiff(np.zeros((4, 4), np.uint8), subfiletype=1)
    for data, said in ((dng, "DNG"), (preview, "reduced preview")):
        with pytest.raises(InputError, match=said):
            decode_image(data, "x")


@pytest.mark.parametrize("top", [1, 100, 255, 1023, 65_535])
def test_netpbm_of_any_largest_value(top: int) -> None:
    values = np.arange(12).reshape(2, 2, 3) * top // 11
    kind = ">u1" if top < 256 else ">u2"
    raw = f"P6 # made by hand\n2 2\n{top}\n".encode() + values.astype(kind).tobytes()
    text = f"P3\n2 2\n{top}\n{' '.join(map(str, values.ravel()))}\n".encode()
    pam = (
        f"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 3\nMAXVAL {top}\nTUPLTYPE RGB\nENDHDR\n".encode() + values.astype(kind).tobytes()
    )
    for data in (raw, text, pam):
        assert np.abs(decode_image(data, "x")[0] - values * 255 / top).max() <= 0.502


def pam(kind: str, values: np.ndarray) -> bytes:
    height, width, depth = values.shape
    head = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL 255\n{kind}ENDHDR\n"
    return head.encode() + values.astype(np.uint8).tobytes()


def test_pam_says_what_its_samples_are() -> None:
    values = np.random.default_rng(3).integers(0, 256, (3, 4, 4))
    image, notes = decode_image(pam("TUPLTYPE CMYK\n", values), "x")
    expected = (255 - values[:, :, :3]) * (255 - values[:, :, 3:]) / 255
    assert np.abs(image - expected).max() <= 0.5
    assert notes == ["CMYK converted to RGB"]
    for kind in ("", "TUPLTYPE RGB_ALPHA\n", "TUPLTYPE  RGB_ALPHA \n"):
        assert decode_image(pam(kind, values), "x")[1] == ["transparency laid on white"]
    with pytest.raises(InputError, match="x: PAM of the tuple type 'DEPTHMAP', which vitiq does not know; save it as"):
        decode_image(pam("TUPLTYPE DEPTHMAP\n", values[:, :, :1]), "x")


def test_bitmaps_of_netpbm() -> None:
    for data in (b"P4\n10 2\n\xaa\x80\x55\x40", b"P1\n10 2\n1010101010\n0101010101\n"):
        image, _ = decode_image(data, "x")
        assert image[:, :, 0].tolist() == [[0, 255] * 5, [255, 0] * 5]


def test_jpeg2000_depths(tmp_path: Path) -> None:
    grey = DEEP[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "x.jp2", irreversible=False)
    assert np.array_equal(read_image_details(tmp_path / "x.jp2")[0][:, :, 0], EIGHT[:, :, 0])


@pytest.mark.parametrize(
    ("mode", "said"), [("1", "grey"), ("LA", "grey"), ("P", ""), ("PA", ""), ("YCbCr", ""), ("CMYK", "CMYK")]
)
def test_other_modes_of_tiff(mode: str, said: str, tmp_path: Path) -> None:
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    made = red.convert("P").convert("PA") if mode == "PA" else red.convert(mode)
    made = Image.new("1", (4, 4), 1) if mode == "1" else made
    made.save(tmp_path / "x.tif")
    image, notes = read_image_details(tmp_path / "x.tif")
    expected = {"1": (255, 255, 255), "LA": (76, 76, 76)}.get(mode, (255, 0, 0))
    assert np.abs(image.astype(int) - expected).max() <= 2
    assert any(said in note for note in notes) or not said
