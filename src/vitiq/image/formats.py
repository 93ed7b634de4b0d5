"""The image formats vitiq opens, recognised by content. Nothing else is ever handed to a decoder.

Pillow knows some 40 formats, among them ones that run other programs (EPS calls Ghostscript) or read nothing but
text. It is only ever asked for the one format recognised here.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from vitiq.wrong_kind import wrong_kind

HEAD_BYTES = 4096
"""Bytes from the beginning of a file that `detect` looks at; fewer than the file has are enough for all but TGA."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read.

    Attributes:
        title: its name in messages.
        suffixes: usual suffixes, lower case. They decide one thing: a file of that suffix in a folder is meant as an
            image, so that it is reported where it cannot be read.
    """

    title: str
    suffixes: tuple[str, ...]


FORMATS: dict[str, Format] = {
    "PNG": Format("PNG", (".png", ".apng")),
    "JPEG": Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")),
    "WEBP": Format("WebP", (".webp",)),
    "AVIF": Format("AVIF", (".avif", ".avifs")),
    "JXL": Format("JPEG XL", (".jxl",)),
    "JPEG2000": Format("JPEG 2000", (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx")),
    "TIFF": Format("TIFF", (".tif", ".tiff")),
    "BMP": Format("BMP", (".bmp", ".dib")),
    "GIF": Format("GIF", (".gif",)),
    "PPM": Format("PPM", (".ppm", ".pgm", ".pbm", ".pnm", ".pfm")),
    "TGA": Format("TGA", (".tga", ".icb", ".vda", ".vst")),
}
"""Pillow's name of each format that is opened (JXL: of the plug-in's) and what it is called here."""

SUFFIXES = frozenset(suffix for form in FORMATS.values() for suffix in form.suffixes)
"""Suffixes that announce an image which vitiq reads."""

EXPECTED = "PNG, JPEG, WebP, AVIF, JPEG XL, JPEG 2000, TIFF, BMP, GIF, PPM or TGA"

_STARTS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(start, re.DOTALL), name)
    for start, name in (
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"\xff\x0a", "JXL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JXL"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
        (b"\xff\x4f\xff\x51", "JPEG2000"),
        (rb"II\*\x00", "TIFF"),
        (rb"MM\x00\*", "TIFF"),
        (rb"II\+\x00", "TIFF"),
        (rb"MM\x00\+", "TIFF"),
        (b"GIF8[79]a", "GIF"),
        (b"RIFF....WEBP", "WEBP"),
        (rb"P[1-7Ff][\s#]", "PPM"),
    )
)

_VIQ = re.compile(rb"\x89V(Q|[\x80-\xff])", re.DOTALL)

_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}

_FOREIGN: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), said)
    for pattern, said in (
        (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript (EPS), which is a program to be run; export it as PNG"),
        (rb"%PDF", "a PDF document; export the page as PNG"),
        (rb"(\xef\xbb\xbf)?\s*<(\?xml|svg|!DOCTYPE svg)", "SVG or XML text; export it as PNG"),
        (rb"8BPS", "a Photoshop document; export it as PNG or TIFF"),
        (rb"\x76\x2f\x31\x01", "OpenEXR, which holds scene light; tone-map it to an 8- or 16-bit PNG first"),
        (rb"#\?RADIANCE|#\?RGBE", "Radiance HDR, which holds scene light; tone-map it to an 8- or 16-bit PNG first"),
        (rb"qoif", "QOI; convert it to PNG, which holds the same pixels"),
        (
            rb"....ftyp(hei[cxms]|hev[cx]|mif[123]|msf1|avc[is]|vvi[cs]|jp[ge][gs]|j2ki|j2is)",
            "HEIC, or another HEIF file; convert it to PNG, or to AVIF",
        ),
        (rb"....ftypcrx ", "a camera's raw file; develop it to PNG or TIFF first"),
        (
            rb"(II|MM)..\x10\x00\x00\x00CR|FUJIFILMCCD-RAW|IIRO|IIU\x00|(II|MM)....HEAPCCDR",
            "a camera's raw file; develop it first",
        ),
        (rb"II\xbc\x01", "JPEG XR; convert it to PNG"),
        (rb"\x00\x00[\x01\x02]\x00", "an icon or cursor; save the size you mean as PNG"),
        (rb"BA.{12}(BM|CI|CP|IC|PT)", "an OS/2 array of bitmaps; save the one you mean as PNG"),
        (rb"DDS ", "a DDS texture; convert it to PNG"),
        (rb"icns", "an Apple icon; save the size you mean as PNG"),
        (rb"gimp xcf ", "a GIMP document; export it as PNG or TIFF"),
        (rb"\x59\xa6\x6a\x95", "a Sun raster; convert it to PNG"),
        (rb"\x01\xda[\x00\x01][\x01\x02]\x00[\x01-\x03]", "an SGI image; convert it to PNG"),
        (rb"\x0a[\x00\x02-\x05][\x00\x01][\x01\x02\x04\x08\x18\x20]", "PCX; convert it to PNG"),
        (rb"FORM....(ILBM|PBM |RGB8|RGBN)", "an Amiga image (IFF); convert it to PNG"),
        (rb"\x8a(MNG)\r\n\x1a\n|\x8b(JNG)\r\n\x1a\n", "MNG or JNG; save the frame you mean as PNG"),
        (rb"/\* XPM \*/|#define \w+_width", "an X11 pixmap or bitmap; convert it to PNG"),
        (rb"SIMPLE  =", "FITS, which holds measurements; scale them and save an 8- or 16-bit PNG"),
        (rb".{128}DICM", "DICOM, whose window of brightness is a choice; export the image as PNG"),
        (rb"\xd7\xcd\xc6\x9a|\x01\x00\x00\x00.{36} EMF", "a Windows metafile; export it as PNG"),
        (rb"AT&TFORM", "a DjVu document; export the page as PNG"),
        (rb"\x93NUMPY", "a NumPy array; save it as PNG, or give the array to the Python interface"),
        (rb"\x00\x05\x16\x07", "macOS metadata (AppleDouble), no image; give the file without the leading `._`"),
        (
            rb"\x89V(Q|[\x80-\xff])",
            "a .viq file, which is compressed already; `vitiq decode FILE` makes an image of it",
        ),
        (
            rb"\x89PNG(?!\r\n\x1a\n)",
            "a PNG that was copied as text, its line ends changed; copy it as a binary file",
        ),
    )
)


def detect(head: bytes, suffix: str = "", tail: bytes = b"") -> str | None:
    """Pillow's name of the format of a file, or None.

    Args:
        head: the file's first bytes, `HEAD_BYTES` of them or all.
        suffix: of the file's name: an old TGA file has no mark of its own, and is taken for one only under its suffix.
        tail: the file's last bytes: where a newer TGA has its mark.

    Example:
        >>> detect(b"GIF89a...")
        'GIF'
    """
    marked = b"TRUEVISION-XFILE" in tail[-26:] or suffix.lower() in FORMATS["TGA"].suffixes
    if marked and _maybe_tga(head):
        return "TGA"
    if head[4:8] == b"ftyp" and _brands(head) & {b"avif", b"avis"}:
        return "AVIF"  # whatever its first brand is
    if any(pattern.match(head) for pattern, _ in _FOREIGN):
        return None
    found = next((name for start, name in _STARTS if start.match(head)), None)
    if found:
        return found
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    return "BMP" if _bare_dib(head) else None


def foreign(head: bytes) -> str | None:
    """What a file is that vitiq knows but does not read, and what to do about it; None for the unknown."""
    return next((said for pattern, said in _FOREIGN if pattern.match(head)), None) or wrong_kind(head)


def what_else(data: bytes) -> str | None:
    """As `foreign`, of a whole file, which may be damaged; None for the unknown.

    Example:
        >>> what_else(b"PK\\x03\\x04" + bytes(20))
        'a zip archive; unpack it first'
    """
    if _VIQ.match(data) and zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):  # which ends every such file
        return (
            "a .viq file, but damaged: its CRC-32 does not match; copy it again, then `vitiq decode FILE` makes an "
            "image of it"
        )
    return foreign(data[:HEAD_BYTES])


def _bare_dib(head: bytes) -> bool:
    """Whether a BMP begins without the file header "BM", as Windows' clipboard holds it: one plane of a known depth."""
    size = int.from_bytes(head[:4], "little")
    at = 8 if size == min(_BMP_HEADERS) else 12
    planes, bits = (int.from_bytes(head[start : start + 2], "little") for start in (at, at + 2))
    return size in _BMP_HEADERS and planes == 1 and bits in {1, 2, 4, 8, 16, 24, 32}


def _brands(head: bytes) -> set[bytes]:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12]} | {head[i : i + 4] for i in range(16, end, 4)}


def _maybe_tga(head: bytes) -> bool:
    """Whether the first 18 bytes can be a TGA header (Truevision TGA 2.0, table 2)."""
    return (
        len(head) >= 18 and head[1] in {0, 1} and head[2] in {1, 2, 3, 9, 10, 11} and head[16] in {1, 8, 15, 16, 24, 32}
    )
