"""What a JPEG XL file's header says of its samples, turn and frames: the decoder does not.

Source: ISO/IEC 18181-1:2022, annexes B.2 (U32, from low bits to high) and D.2, D.3 (SizeHeader, ImageMetadata,
BitDepth, ExtraChannelInfo), E.2 (ColourEncoding); 18181-2, 9.9 (boxes jxlc and jxlp).
"""

from __future__ import annotations

from dataclasses import dataclass

from vitiq.image.boxes import boxes

_SIZE = ((9, 1), (13, 1), (18, 1), (30, 1))
_PREVIEW_EIGHTHS = ((0, 16), (0, 32), (5, 1), (9, 33))
_PREVIEW = ((6, 1), (8, 65), (10, 321), (12, 1345))
_WHOLE = ((0, 8), (0, 10), (0, 12), (6, 1))
_FLOATS = ((0, 32), (0, 16), (0, 24), (6, 1))
_ANIMATION = (
    ((0, 100), (0, 1000), (10, 1), (30, 1)),
    ((0, 1), (0, 1001), (8, 1), (10, 1)),
    ((0, 0), (3, 0), (16, 0), (32, 0)),
)
"""Ticks a second, their divisor, and loops."""
_COUNT = ((0, 0), (0, 1), (4, 2), (12, 1))
_ENUM = ((0, 0), (0, 1), (4, 2), (6, 18))
_SHIFT = ((0, 0), (0, 3), (0, 4), (3, 1))
_NAME = ((0, 0), (4, 0), (5, 16), (10, 48))
_CFA = ((0, 1), (2, 0), (4, 3), (8, 19))
_COORDINATE = ((19, 0), (19, 524_288), (20, 1_048_576), (21, 2_097_152))
_ALPHA, _SPOT, _BLACK, _CFA_CHANNEL = 0, 2, 4, 5
_GREY, _XYB, _CUSTOM = 1, 2, 2
_HEADER_BYTES = 16_384
"""More than the fields up to the colour take, but for hundreds of extra channels with long names."""


@dataclass(frozen=True, slots=True)
class JxlHeader:
    """What the header says.

    Attributes:
        bits: of a colour sample, 32 and the like for floats; 8 where the header cannot be read.
        orientation: 1 … 8 as in EXIF.
        animated: whether frames follow each other.
        premultiplied: whether colour is already multiplied by alpha.
        inks: whether one of its channels is black ink, so that its colour is CMYK.
        floating: whether samples are floating-point numbers.
        transfer: number of the transfer function (16 is PQ, 18 HLG, as in H.273); None where a profile or a gamma
            stands for it.
    """

    bits: int = 8
    orientation: int = 1
    animated: bool = False
    premultiplied: bool = False
    inks: bool = False
    floating: bool = False
    transfer: int | None = None


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the header ends early")
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return taken

    def choice(self, kinds: tuple[tuple[int, int], ...]) -> int:
        """U32: two bits choose how many follow, and what is added to them."""
        width, offset = kinds[self.take(2)]
        return offset + self.take(width)


def jxl_header(data: bytes) -> JxlHeader:
    """The header of a file."""
    try:
        return _header(_Bits(_codestream(data)))
    except ValueError:
        return JxlHeader()


def _codestream(data: bytes) -> bytes:
    if data.startswith(b"\xff\x0a"):
        return data[2:_HEADER_BYTES]
    for kind, start, _ in boxes(data):
        at = {b"jxlc": start, b"jxlp": start + 4}.get(kind)
        if at is not None and data[at : at + 2] == b"\xff\x0a":
            return data[at + 2 : at + _HEADER_BYTES]
    raise ValueError("no codestream")


def _header(bits: _Bits) -> JxlHeader:
    orientation, animated = 1, False
    _skip_size(bits)
    if bits.take(1):  # all as by default
        return JxlHeader()
    if bits.take(1):  # fields that few files have
        orientation += bits.take(3)
        if bits.take(1):
            _skip_size(bits)
        if bits.take(1):
            _skip_preview(bits)
        animated = bool(bits.take(1))
        if animated:
            for kinds in _ANIMATION:
                bits.choice(kinds)
            bits.take(1)
    depth, floating = _depth(bits)
    bits.take(1)  # whether 16 bits are enough to compute with
    channels = [_extra_channel(bits) for _ in range(bits.choice(_COUNT))]
    bits.take(1)  # XYB
    alpha = next((channel for channel in channels if channel[0] == _ALPHA), (_ALPHA, False))
    inks = any(kind == _BLACK for kind, _ in channels)
    return JxlHeader(depth, orientation, animated, alpha[1], inks, floating, _transfer(bits))


def _depth(bits: _Bits) -> tuple[int, bool]:
    """Bits of a sample, and whether it is a floating-point number."""
    floating = bool(bits.take(1))
    depth = bits.choice(_FLOATS if floating else _WHOLE)
    if floating:
        bits.take(4)
    return depth, floating


def _extra_channel(bits: _Bits) -> tuple[int, bool]:
    """Its kind, and, of alpha, whether colour is multiplied by it."""
    if bits.take(1):
        return _ALPHA, False
    kind = bits.choice(_ENUM)
    _depth(bits)
    bits.choice(_SHIFT)
    bits.take(8 * bits.choice(_NAME))
    premultiplied = kind == _ALPHA and bool(bits.take(1))
    if kind == _SPOT:
        bits.take(64)
    elif kind == _CFA_CHANNEL:
        bits.choice(_CFA)
    return kind, premultiplied


def _transfer(bits: _Bits) -> int | None:
    """Of the colour encoding, which follows."""
    if bits.take(1) or bits.take(1):  # sRGB, or an ICC profile
        return None
    space = bits.choice(_ENUM)
    if space != _XYB:
        if bits.choice(_ENUM) == _CUSTOM:
            _skip_points(bits, 1)
        if space != _GREY and bits.choice(_ENUM) == _CUSTOM:
            _skip_points(bits, 3)
        if not bits.take(1):
            return bits.choice(_ENUM)
    return None


def _skip_points(bits: _Bits, count: int) -> None:
    for _ in range(2 * count):
        bits.choice(_COORDINATE)


def _skip_size(bits: _Bits) -> None:
    small = bits.take(1)
    for side in range(2):
        if side and bits.take(3):  # the width by a ratio
            return
        if small:
            bits.take(5)
        else:
            bits.choice(_SIZE)


def _skip_preview(bits: _Bits) -> None:
    kinds = _PREVIEW_EIGHTHS if bits.take(1) else _PREVIEW
    bits.choice(kinds)
    if not bits.take(3):
        bits.choice(kinds)
