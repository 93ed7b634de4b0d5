"""JPEG: segments read here, pixels by libjpeg-turbo through Pillow, which gets no metadata but what colour needs.

Source: ITU-T T.81 (markers), JFIF 1.02, Exif 2.32, ICC.1:2022 annex B.4 (profiles in APP2), CIPA DC-007 (MPF),
ISO 21496-1 and Adobe's hdrgm (gain maps).
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from vitiq.image.exif_colour import colour_from_exif
from vitiq.image.ifd import DamagedTagsError, first_directory
from vitiq.image.jpeg_scans import Frame, missing_detail
from vitiq.image.limits import MAX_CHUNKS, MAX_FRAMES, MAX_PROFILE_BYTES, MAX_SCANS, check_pixels
from vitiq.image.orientation import from_exif
from vitiq.image.raster import Raster, UnsupportedKindError, first_of, from_pillow

GAIN_MAP = "HDR gain map left out, the SDR image is read"
PLAIN_INKS = "CMYK without Adobe's mark read as with it, 255 is no ink"
FILL = {0, 127, 128}
"""Levels of what libjpeg makes of blocks that are not there: grey, and of inks, of which black may be none."""
_END, _MORE = b"\xff\xd9", b"\x5a\xa5\x3c\xc3" * 16
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_LS = 0xF7
_DNL = re.compile(rb"\xff\xdc\x00\x04(..)", re.DOTALL)
_JFIF_BYTES = 14
_MPF_IMAGES = 0xB001
_EXIF, _ICC, _MPF, _ISO_GAIN = b"Exif\0\0", b"ICC_PROFILE\0", b"MPF\0", b"urn:iso:std:iso:ts:21496:-1\0"


@dataclass(slots=True)
class _Segments:
    kept: bytearray = field(default_factory=bytearray)
    size: tuple[int, int] | None = None
    frame: Frame | None = None
    interval: int = 0
    first_scan: int = 0
    scans: int = 0
    exif: bytes = b""
    profile: dict[int, bytes] = field(default_factory=dict)
    images: int = 1
    gain_map: bool = False
    arithmetic: bool = False
    adobe: bool = False
    scan_bytes: int = 0
    height_at: int = 0


def read_jpeg(data: bytes, name: str) -> Raster:
    """The (first) image of a JPEG.

    Raises:
        InputError: too many pixels.
        ValueError, OSError: damaged, or of a kind that vitiq cannot decode (12 bits, lossless).
    """
    segments = _split(data)
    if segments.size is None or segments.frame is None:
        raise ValueError("no image in it")
    check_pixels(*segments.size, name)
    _check_length(segments)
    detail = missing_detail(bytes(segments.kept[segments.first_scan :]), segments.frame, segments.interval)
    raster = from_pillow(Image.open(io.BytesIO(segments.kept), formats=["JPEG"]))
    _check_end(raster, segments)
    if detail is not None:
        raster.notes.append(detail)
    if raster.model == "cmyk" and not segments.adobe:
        raster.notes.append(PLAIN_INKS)
    if segments.gain_map:
        raster.notes.append(GAIN_MAP)
    elif segments.images > 1:
        raster.notes.append(first_of(segments.images))
    raster.orientation = from_exif(segments.exif, raster.notes)
    profile = b"".join(segments.profile[key] for key in sorted(segments.profile))
    raster.profile = profile or None
    raster.tag = colour_from_exif(segments.exif)
    return raster


def without_metadata(data: bytes) -> bytes:
    """The JPEG with what its pixels need alone: no Exif, profile or comment, nothing after its end.

    Raises:
        ValueError: damaged.
    """
    return bytes(_split(data).kept)


def _check_length(segments: _Segments) -> None:
    """Refuse an image that cannot be in what follows: Huffman coding spends a bit or more on each block of 8×8 pixels.

    libjpeg would fill what is missing with grey, without a word, and take the time of a whole image for it.
    """
    width, height = segments.size or (0, 0)
    if not segments.arithmetic and 8 * segments.scan_bytes < -(-width // 8) * -(-height // 8):
        raise ValueError(f"{segments.scan_bytes} bytes of pixel data are too few for {width}×{height} pixels")


def _check_end(raster: Raster, segments: _Segments) -> None:
    """Refuse an image that more bits before its end would change: libjpeg has made up what they would say.

    Of a single scan that costs a second decoding only where the last pixel is the grey that libjpeg fills with.
    """
    grey = set(raster.samples[-1, -1].tolist()) <= FILL
    if segments.arithmetic:  # which leaves zeros out at the end of a scan, as many as there are
        return
    if (grey or segments.scans > 1) and segments.kept.endswith(_END):
        # Bytes 255 before a marker are filling (T.81, B.1.1.2), as some cameras pad the last byte of their pixels.
        longer = segments.kept[: -len(_END)].rstrip(b"\xff") + _MORE + _END
        again = from_pillow(Image.open(io.BytesIO(longer), formats=["JPEG"]))
        if not np.array_equal(again.samples, raster.samples):
            raise ValueError("the pixel data ends before the image")


def _split(data: bytes) -> _Segments:
    """Headers up to the first scan, looked at and copied without metadata; then the scans, up to the first end."""
    segments = _Segments(bytearray(data[:2]))
    position = 2
    for _ in range(MAX_CHUNKS):
        start = data.find(b"\xff", position)
        while start >= 0 and data[start + 1 : start + 2] == b"\xff":  # fill bytes
            start += 1
        marker = data[start + 1] if 0 <= start < len(data) - 1 else None
        if marker is None:
            raise ValueError("the file ends before its image")
        position = start + 2
        if marker in {0x00, 0x01} or 0xD0 <= marker <= 0xD8:
            continue
        if marker == 0xD9:
            raise ValueError("it ends before its image")
        length = int.from_bytes(data[position : position + 2], "big")
        content = data[position + 2 : position + length]
        if length < 2 or len(content) != length - 2:
            raise ValueError("the file ends early")
        if marker == 0xDA:
            end, segments.scans = _end(data, start)
            segments.first_scan = len(segments.kept)
            segments.kept += data[start:end]
            segments.scan_bytes = end - (position + length)
            _late_height(segments)
            return segments
        if _keep(marker, content, segments):
            segments.kept += data[start : position + length]
        position += length
    raise ValueError(f"more than {MAX_CHUNKS} segments")


def _late_height(segments: _Segments) -> None:
    """A frame of height 0 has it behind its first scan (T.81, B.2.5: DNL), which libjpeg does not look for."""
    if segments.frame is None or segments.frame.height:
        return
    found = _DNL.search(segments.kept, segments.first_scan)
    if found is None:
        return
    segments.kept[segments.height_at : segments.height_at + 2] = found[1]
    segments.frame.height = int.from_bytes(found[1], "big")
    segments.size = (segments.frame.width, segments.frame.height)


def _end(data: bytes, start: int) -> tuple[int, int]:
    """Where the image ends, and how many scans it has."""
    scans = 0
    for count, found in enumerate(re.finditer(rb"\xff[\xc0-\xcf\xd9-\xdf]", data[start:])):
        marker = found.group()[1]
        scans += marker == 0xDA
        if scans > MAX_SCANS or count > MAX_CHUNKS:
            raise ValueError(f"more than {MAX_SCANS} scans")
        if marker == 0xD9:
            return start + found.end(), scans
    return len(data), scans


def _keep(marker: int, content: bytes, segments: _Segments) -> bool:
    """Note what a segment says; whether the decoder needs it."""
    if marker in _FRAMES:
        if len(content) < 6:
            raise ValueError("a frame header cut short")
        if content[0] != 8:
            raise UnsupportedKindError(
                f"JPEG of {content[0]} bits a sample, which vitiq cannot decode; convert it to PNG"
            )
        if marker in {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}:
            raise UnsupportedKindError("lossless or hierarchical JPEG, which vitiq cannot decode; convert it to PNG")
        segments.arithmetic = marker in {0xC9, 0xCA}
        if segments.size is None:
            segments.frame = Frame.read(content)
            segments.size = (segments.frame.width, segments.frame.height)
            segments.height_at = len(segments.kept) + 5
    elif marker == _JPEG_LS:
        raise UnsupportedKindError("JPEG-LS, which vitiq cannot decode; convert it to PNG")
    elif marker == 0xDD:
        segments.interval = int.from_bytes(content[:2], "big")
    elif marker == 0xE1:
        if content.startswith(_EXIF) and not segments.exif:
            segments.exif = content
        segments.gain_map |= b"ns.adobe.com/hdr-gain-map" in content or b"HDRGainMap" in content
    elif marker == 0xE2:
        _second(content, segments)
    elif marker == 0xEE:
        segments.adobe |= content.startswith(b"Adobe")
    if marker == 0xE0:  # what libjpeg passes over and Pillow fails on: thumbnails (JFXX), empty or short segments
        return content.startswith(b"JFIF\0") and len(content) >= _JFIF_BYTES
    return not (0xE1 <= marker <= 0xEF or marker == 0xFE) or marker == 0xEE


def _second(content: bytes, segments: _Segments) -> None:
    """APP2: a part of an ICC profile, an index of further images, or the mark of a gain map."""
    if content.startswith(_ICC) and len(content) > 14:
        if sum(map(len, segments.profile.values())) <= MAX_PROFILE_BYTES:
            segments.profile.setdefault(content[12], content[14:])
    elif content.startswith(_MPF):
        try:
            segments.images = min(max(1, first_directory(content[4:]).number(_MPF_IMAGES, 1)), MAX_FRAMES + 1)
        except DamagedTagsError:
            segments.images = 1
    elif content.startswith(_ISO_GAIN):
        segments.gain_map = True
