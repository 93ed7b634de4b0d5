"""PBM, PGM, PPM and PAM of any depth, exactly; PFM through the rule for floats.

Source: Netpbm's pages ppm(5), pgm(5), pbm(5), pam(5) (comments, maxval, two bytes above 255, high byte first) and
Debevec's description of PFM (rows from bottom to top, the sign of the scale gives the byte order).
"""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import UInt

from vitiq.image.depth import depth_note, from_float, stretch_from
from vitiq.image.limits import check_pixels
from vitiq.image.raster import Raster, UnsupportedKindError

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEAD = re.compile(rb"P([1-6])" + _GAP + rb"(\d{1,10})" + _GAP + rb"(\d{1,10})")
_TOP = re.compile(_GAP + rb"(\d{1,10})")
_INKS = b"CMYK"
"""Tuple type that Ghostscript writes; 0 is no ink."""
_FLOAT = re.compile(rb"P([Ff])\s+(\d{1,10})\s+(\d{1,10})\s+(-?[\d.eE+-]{1,20})\s")


def read_pnm(data: bytes, name: str) -> Raster:
    """The first image of a Netpbm file.

    Raises:
        InputError: too many pixels, or floats outside 0 … 1.
        ValueError: damaged.
    """
    if data[:2] in {b"PF", b"Pf"}:
        return _read_floats(data, name)
    if data[:2] == b"P7":
        return _read_pam(data, name)
    head = _HEAD.match(data[:4096])
    if head is None:
        raise ValueError("no Netpbm header")
    kind, width, height = (int(part) for part in head.groups())
    check_pixels(width, height, name)
    position, top = head.end(), 1
    if kind not in {1, 4}:
        found = _TOP.match(data[: head.end() + 4096], head.end())
        top = int(found.group(1)) if found else 0
        if found is None or not 1 <= top <= 65_535:
            raise ValueError(f"a largest value of {top}, 1 … 65535 is expected")
        position = found.end()
    channels = 3 if kind in {3, 6} else 1
    if kind < 4:
        values = _text(data[position:], width * height * channels, bilevel=kind == 1)
    elif kind == 4:
        values = _packed(data[position + 1 :], width, height)
    else:
        values = _numbers(data, position + 1, width * height * channels, top)
    values = _whole_range(values.reshape(height, width, channels), top, inverted=kind in {1, 4})
    raster = Raster(values, "rgb" if channels == 3 else "grey")
    if kind >= 4:
        size = -(-width // 8) * height if kind == 4 else values.size * (1 + (top > 255))
        raster.notes += _further(data, position + 1 + size)
    if top > 255:
        raster.notes.append(depth_note(top.bit_length()))
    return raster


def _further(data: bytes, end: int) -> list[str]:
    """A note where another image follows, as binary files may hold several."""
    return ["first of several images"] if re.match(rb"P[4-7]\s", data[end : end + 3]) else []


def _whole_range(values: UInt[np.ndarray, "h w c"], top: int, *, inverted: bool) -> UInt[np.ndarray, "h w c"]:
    if int(values.max(initial=0)) > top:
        raise ValueError(f"a sample above the largest value stated, {top}")
    if inverted:  # of bitmaps, 1 is black
        values = 1 - values
    return stretch_from(values, top)


def _numbers(data: bytes, position: int, count: int, top: int) -> UInt[np.ndarray, " n"]:
    kind = np.dtype(np.uint8 if top < 256 else ">u2")
    if len(data) < position + count * kind.itemsize:
        raise ValueError("the file ends early")
    return np.frombuffer(data, kind, count, position).astype(np.uint16)


def _packed(data: bytes, width: int, height: int) -> UInt[np.ndarray, " n"]:
    row = -(-width // 8)
    if len(data) < row * height:
        raise ValueError("the file ends early")
    bits = np.unpackbits(np.frombuffer(data, np.uint8, row * height).reshape(height, row), axis=1)
    return bits[:, :width].astype(np.uint16).ravel()


def _text(data: bytes, count: int, *, bilevel: bool) -> UInt[np.ndarray, " n"]:
    text = re.sub(rb"#[^\r\n]*", b" ", data)
    if bilevel:  # digits of plain bitmaps may stand without space
        words = np.frombuffer(bytes(byte for byte in text if byte in b"01"), np.uint8).astype(np.int64) - ord("0")
    else:
        parts = text.split(maxsplit=count)[:count]
        if any(len(part) > 5 or not part.isdigit() for part in parts):
            raise ValueError("a sample that is no number of at most 5 digits")
        words = np.array(parts, dtype="S5").astype(np.int64) if parts else np.zeros(0, np.int64)
    if len(words) < count:
        raise ValueError("the file ends early")
    return words[:count].astype(np.uint32)


def _read_pam(data: bytes, name: str) -> Raster:
    end = data[:4096].find(b"ENDHDR\n")
    fields = dict(
        re.findall(rb"^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+(\d{1,10})[ \t]*$", data[: max(end, 0)], re.MULTILINE)
    )
    if end < 0 or len(fields) != 4:
        raise ValueError("no PAM header")
    width, height, depth, top = (int(fields[key]) for key in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    check_pixels(width, height, name)
    if not (1 <= depth <= 4 and 1 <= top <= 65_535):
        raise ValueError(f"{depth} samples per pixel with a largest value of {top}")
    values = _numbers(data, end + 7, width * height * depth, top).reshape(height, width, depth)
    values = _whole_range(values, top, inverted=False)
    if _tuple_type(data[:end]) == _INKS and depth == 4:
        raster = Raster(values, "cmyk")
    else:
        colours = depth - (depth in {2, 4})
        alpha = values[:, :, -1] if colours < depth else None
        raster = Raster(values[:, :, :colours], "rgb" if colours == 3 else "grey", alpha)
    raster.notes += _further(data, end + 7 + values.size * (1 + (top > 255)))
    if top > 255:
        raster.notes.append(depth_note(top.bit_length()))
    return raster


def _tuple_type(head: bytes) -> bytes:
    """What the samples of a PAM are; nothing where it does not say, so that their number decides.

    Raises:
        UnsupportedKindError: something else than grey, RGB or CMYK.
    """
    found = b" ".join(re.findall(rb"^TUPLTYPE[ \t]+(.*?)[ \t\r]*$", head, re.MULTILINE))
    if found and found.removesuffix(b"_ALPHA") not in {b"BLACKANDWHITE", b"GRAYSCALE", b"RGB", _INKS}:
        said = found[:40].decode("latin-1")
        raise UnsupportedKindError(f"PAM of the tuple type {said!r}, which vitiq does not know; save it as PNG")
    return found


def _read_floats(data: bytes, name: str) -> Raster:
    head = _FLOAT.match(data[:4096])
    if head is None:
        raise ValueError("no PFM header")
    width, height, scale = int(head[2]), int(head[3]), float(head[4])
    check_pixels(width, height, name)
    channels = 3 if head[1] == b"F" else 1
    count = width * height * channels
    if len(data) < head.end() + 4 * count:
        raise ValueError("the file ends early")
    values = np.frombuffer(data, "<f4" if scale < 0 else ">f4", count, head.end()).reshape(height, width, channels)
    raster = Raster(from_float(values[::-1], name), "rgb" if channels == 3 else "grey")
    raster.notes.append("floating point scaled from 0 … 1 to 8 bits")
    return raster
