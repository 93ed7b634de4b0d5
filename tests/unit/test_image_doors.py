"""What is opened, what is refused, and what a hostile or odd file may cost.

Truth: the first bytes each format's standard prescribes; the limits of `vitiq.image.limits`; a broken chunk that a
decoder does not need must not stop it (PNG, third edition, 13.1).
"""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from images_by_hand import chunk, png, tiff
from PIL import Image

from vitiq.errors import InputError
from vitiq.image import quiet
from vitiq.image.formats import FORMATS, detect
from vitiq.image.limits import MAX_SCANS
from vitiq.image.read import decode_image, read_image, read_image_details

RAMP = np.linspace(0, 255, 40 * 30 * 3).reshape(30, 40, 3).astype(np.uint8)


def saved(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in {"JXL", "TGA"}])
def test_a_format_is_recognised_by_content_alone(form: str, tmp_path: Path) -> None:
    for name in ("x", "x.txt", "x.jpg", "x.png"):
        (tmp_path / name).write_bytes(saved(form))
        assert read_image(tmp_path / name).shape == (30, 40, 3)


def test_jpeg_xl_is_read_where_its_package_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    (tmp_path / "x").write_bytes(saved("JXL", quality=100, lossless=True))
    assert np.array_equal(read_image(tmp_path / "x"), RAMP)


def test_tga_has_no_mark_in_its_old_form() -> None:
    data = saved("TGA")
    assert detect(data, ".tga") == "TGA"
    assert detect(data[:-26], "", b"") is None
    assert detect(data, "", data[-26:]) == "TGA"
    assert np.array_equal(decode_image(data, "x.tga")[0], RAMP)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\xc5\xd0\xd3\xc6" + bytes(40), "PostScript"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"8BPS\0\1" + bytes(20), "Photoshop"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "HEIC"),
        (b"\0\0\0\x10ftypmif3avif\0\0\0\x59mini" + bytes(20), "HEIF"),
        (b"\0\0\0\x1cftypvvic\0\0\0\0mif1vvicmiaf" + bytes(20), "HEIF"),
        (b"qoif" + bytes(20), "QOI"),
        (b"icns\0\0\1\0" + bytes(20), "an Apple icon"),
        (b"gimp xcf v011\0" + bytes(20), "a GIMP document"),
        (b"\x59\xa6\x6a\x95\0\0\0\x20" + bytes(20), "a Sun raster"),
        (b"\1\xda\1\1\0\3\0\x80" + bytes(20), "an SGI image"),
        (b"\x0a\5\1\x08" + bytes(124), "PCX"),
        (b"FORM\0\0\1\0ILBMBMHD" + bytes(20), "an Amiga image"),
        (b"\x8aMNG\r\n\x1a\n" + bytes(20), "MNG"),
        (b"/* XPM */\nstatic char *x[] = {\n", "an X11 pixmap"),
        (b"#define x_width 8\n#define x_height 8\n", "an X11 pixmap"),
        (b"SIMPLE  =                    T" + bytes(50), "FITS"),
        (bytes(128) + b"DICM" + bytes(20), "DICOM"),
        (b"\xd7\xcd\xc6\x9a" + bytes(20), "a Windows metafile"),
        (b"AT&TFORM\0\0\1\0DJVU", "a DjVu document"),
        (b"II\x1a\0\0\0HEAPCCDR" + bytes(20), "a camera's raw file"),
        (b"\x76\x2f\x31\x01" + bytes(20), "OpenEXR"),
        (b"\0\x05\x16\x07\0\2\0\0Mac OS X" + bytes(20), "AppleDouble"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_what_is_not_read_is_named(start: bytes, said: str) -> None:
    for name in ("x.png", "x.eps", "x.tga"):
        with pytest.raises(InputError, match=said):
            decode_image(start, name)


def test_an_avif_is_one_whatever_its_first_brand_is() -> None:
    """ISO/IEC 23008-12 and 23000-22 leave the major brand free; `mif1` is that of HEIC files too."""
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, "AVIF", quality=100)
    data = buffer.getvalue()
    assert data[4:12] == b"ftypavif"
    other = data[:8] + b"mif1" + data[12:]
    assert np.array_equal(decode_image(other, "x")[0], decode_image(data, "x")[0])


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for Ghostscript")
def test_no_program_is_run(tmp_path: Path) -> None:
    """A Ghostscript on PATH leaves a mark; reading a folder with an EPS in it must not run it."""
    mark, tool = tmp_path / "ran", tmp_path / "bin" / "gs"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\ntouch {mark}\n")
    tool.chmod(0o755)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    for name in ("a.eps", "b.png", "c.tif"):
        (tmp_path / name).write_bytes(eps)
    code = "import sys; from vitiq.image.read import read_image\n" + "".join(
        f"try: read_image({str(tmp_path / name)!r})\nexcept Exception as e: print(type(e).__name__)\n"
        for name in ("a.eps", "b.png", "c.tif")
    )
    path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["InputError"] * 3
    assert not mark.exists()


ODD_CHUNKS = {
    "text that is no text": chunk(b"tEXt", b"no end"),
    "compressed text that is none": chunk(b"zTXt", b"key\0\0not zlib"),
    "text bomb": chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(2**26))),
    "international text": chunk(b"iTXt", b"key\0\1\0\0\0" + b"\xff\xfe"),
    "EXIF that is none": chunk(b"eXIf", b"no EXIF"),
    "EXIF that points outside": chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f"),
    "EXIF as text": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 4\nzz"),
    "damaged text": chunk(b"tEXt", b"a\0b")[:-4] + b"\0\0\0\0",
    "resolution cut short": chunk(b"pHYs", b"\0"),
    "time cut short": chunk(b"tIME", b"\0"),
    "animation that is none": chunk(b"acTL", b"\0"),
    "private": chunk(b"prVt", bytes(99)),
}


@pytest.mark.parametrize("odd", ODD_CHUNKS)
def test_odd_chunks_do_not_stop_a_good_png(odd: str) -> None:
    assert np.array_equal(decode_image(png(RAMP, ODD_CHUNKS[odd]), "x")[0], RAMP)


def test_broken_exif_does_not_stop_a_good_jpeg() -> None:
    data = saved("JPEG", quality=95)
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
        image, notes = decode_image(data[:2] + segment + data[2:], "x")
        assert np.array_equal(image, decode_image(data, "x")[0])
        assert notes == ["unreadable EXIF ignored"]


def test_a_flipped_bit_in_the_pixels_of_a_png_is_noticed() -> None:
    data = bytearray(png(RAMP))
    data[len(data) // 2] ^= 1
    with pytest.raises(InputError, match="IDAT chunk fails its checksum"):
        decode_image(bytes(data), "x")


def test_pixels_that_end_early_are_no_black_image() -> None:
    """A PNG of a whole but short stream, a JPEG whose end stands too soon: decoders fill both up silently."""
    whole = png(RAMP)
    start = whole.index(b"IDAT") - 4
    short = chunk(b"IDAT", zlib.compress(zlib.decompress(whole[start + 8 : -16])[:500])) + chunk(b"IEND", b"")
    with pytest.raises(InputError, match="pixel data ends early: 500 of 3630 bytes"):
        decode_image(whole[:start] + short, "x")
    data = saved("JPEG")
    with pytest.raises(InputError, match="are too few for 40×30 pixels"):
        decode_image(data[: data.index(b"\xff\xda") + 2 + 12] + b"\xff\xd9", "x")


def test_a_small_file_takes_no_memory_for_pixels_it_cannot_hold() -> None:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 13_000, 13_000, 16, 6, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="ends early: 0 of 1352013000 bytes"):
        decode_image(data, "x")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_a_very_wide_image_is_read_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a row is, Pillow asks for it in few pieces: joining pieces copies all before, which is quadratic."""
    asked = []
    read = io.BytesIO.read

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return read(self, size)

    wide = Image.new("RGB", (300_000, 2), (1, 2, 3))
    buffer = io.BytesIO()
    wide.save(buffer, "TIFF")
    monkeypatch.setattr("vitiq.image.read.io.BytesIO", Counted)
    assert (decode_image(buffer.getvalue(), "x")[0] == (1, 2, 3)).all()
    assert len([size for size in asked if size and size >= 65_536]) <= 4


def test_a_missing_end_is_no_damage() -> None:
    assert np.array_equal(decode_image(png(RAMP)[:-12], "x")[0], RAMP)


@pytest.mark.parametrize("value", [0, 9, 255, 65_535])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_undefined_orientations_turn_nothing_and_say_nothing(value: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    data = saved(form, **({"tiffinfo": {0x0112: value}} if form == "TIFF" else {"exif": exif}))
    image, notes = decode_image(data, "x")
    assert image.shape == (30, 40, 3)
    assert notes == []


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_of_tiff_is_applied_once_and_said(value: int, bits: int) -> None:
    """TIFF 6.0, tag 274: where row 0 and column 0 of the file lie in the image as shown."""
    samples = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    strip = samples.tobytes() if bits == 8 else (samples.astype("<u2") * 257).tobytes()
    tags = {256: ("H", (4,)), 257: ("H", (3,)), 258: ("H", (bits,)), 259: ("H", (1,)), 262: ("H", (1,))}
    tags |= {274: ("H", (value,)), 277: ("H", (1,)), 278: ("H", (3,))}
    image, notes = decode_image(tiff(tags, strip), "x")
    file = samples[:, :, 0]
    shown = {
        1: file,
        2: file[:, ::-1],
        3: file[::-1, ::-1],
        4: file[::-1],
        5: file.T,
        6: np.rot90(file, -1),
        7: file[::-1, ::-1].T,
        8: np.rot90(file),
    }[value]
    assert np.array_equal(image[:, :, 0], shown)
    assert notes.count("turned by its stated orientation") == (value != 1)


def headers_of_two_to_the_31() -> dict[str, bytes]:
    side = 2**31 - 1
    huge_tiff = tiff({256: ("I", (side,)), 257: ("I", (side,)), 258: ("H", (16,)), 262: ("H", (1,))}, b"")
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0))
    jp2 = b"\xff\x4f\xff\x51" + struct.pack(">HHIIIIIIIIH", 41, 0, side, side, 0, 0, side, side, 0, 0, 1) + b"\7\1\1"
    bmp = b"BM" + struct.pack("<IIIIiiHHIIIIII", 54, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    return {
        "PNG": b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""),
        "TIFF": huge_tiff,
        "JPEG2000": jp2,
        "BMP": bmp,
        "PPM": b"P6 2147483647 2147483647 65535 ",
        "PAM": b"P7\nWIDTH 2147483647\nHEIGHT 2147483647\nDEPTH 4\nMAXVAL 65535\nENDHDR\n",
        "GIF": b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\0;",
        "JPEG": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3\1\x11\0\2\x11\0\3\x11\0"
        b"\xff\xda\0\x0c\3\1\0\2\0\3\0\0?\0\xff\xd9",
    }


@pytest.mark.parametrize("form", headers_of_two_to_the_31())
def test_huge_headers_are_refused_before_anything_is_allocated(form: str) -> None:
    data = headers_of_two_to_the_31()[form]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="pixels given"):
        decode_image(data, "x")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_many_scans_are_refused() -> None:
    data = saved("JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    with pytest.raises(InputError, match=f"more than {MAX_SCANS} scans"):
        decode_image(data[:-2] + data[scan:-2] * MAX_SCANS + b"\xff\xd9", "x")


def test_a_tiff_whose_pages_run_in_a_circle_is_read() -> None:
    tags = {256: ("H", (4,)), 257: ("H", (3,)), 258: ("H", (8,)), 259: ("H", (1,)), 262: ("H", (1,)), 277: ("H", (1,))}
    data = bytearray(tiff(tags, bytes(12)))
    end = 10 + 12 * 8
    data[end : end + 4] = struct.pack("<I", 8)
    assert decode_image(bytes(data), "x")[1] == ["grey repeated in three channels"]


def test_jpeg_of_twelve_bits_and_lossless_are_named() -> None:
    data = saved("JPEG")
    at = data.index(b"\xff\xc0")
    for changed, said in (
        (data[: at + 4] + b"\x0c" + data[at + 5 :], "12 bits a sample"),
        (data[:at] + b"\xff\xc3" + data[at + 2 :], "lossless"),
    ):
        with pytest.raises(InputError, match=said):
            decode_image(changed, "x")


def test_names_no_system_takes(tmp_path: Path) -> None:
    for name in ("a\0b.png", "x" * 300 + ".png"):
        with pytest.raises(InputError):
            read_image_details(tmp_path / name)


def test_standard_error_leads_nowhere_where_libtiff_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As with a Pillow that has libtiff built in: also with several threads, of which the first ends first."""
    monkeypatch.setattr(quiet, "_libtiff_is_silent", lambda: False)
    first, second = quiet.quiet(), quiet.quiet()
    first.__enter__()
    second.__enter__()
    os.write(2, b"from C\n")
    first.__exit__(None, None, None)
    os.write(2, b"from C in the second thread\n")
    second.__exit__(None, None, None)
    os.write(2, b"seen\n")
    assert capfd.readouterr().err == "seen\n"


def test_libtiff_says_nothing_of_a_damaged_tiff(tmp_path: Path) -> None:
    """In a fresh process, where nothing has set it so before."""
    data = bytearray(saved("TIFF", compression="tiff_lzw"))
    data[8:60] = b"\xff" * 52
    (tmp_path / "x.tif").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "vitiq", "encode", tmp_path / "x.tif", "-c", "jpeg"], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(b"vitiq: error: ")
