"""PNG: exact samples of every depth, transparency, and colour by the standard's precedence.

Pillow's decoder is handed only what it needs for the first image (IHDR, PLTE, tRNS of palettes, IDAT), so a broken text
or EXIF chunk cannot stop a good image, and no text is ever decompressed. Samples of 16 bits, which Pillow cuts to
8 in colour, are decoded twice: once for the high bytes, once for the low ones.

Source: PNG specification, third edition: 5.3 (chunks), 4.3 (cICP before iCCP before sRGB before gAMA and cHRM), 11.3.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt, UInt8
from PIL import Image, ImageFile

from vitiq.image.colour_space import SRGB_PRIMARIES, Point, Tag, from_chromaticities, from_code_points, is_srgb, power
from vitiq.image.colour_space import srgb_to_light as srgb_curve
from vitiq.image.depth import depth_note, stretch
from vitiq.image.exif_colour import colour_from_exif
from vitiq.image.limits import MAX_CHUNKS, MAX_FRAMES, MAX_METADATA_BYTES, MAX_PROFILE_BYTES, check_pixels
from vitiq.image.orientation import UNREADABLE, from_exif
from vitiq.image.raster import Raster, first_of, from_pillow, lacking

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SRGB_GAMMA = (45_400, 45_600)
"""gAMA values read as sRGB's own curve: the standard has writers of sRGB state 45455."""
NARROW = "narrow range of cICP (black is 16, white 235 of 255) expanded to the full one"
TOO_FEW_BITS = "narrow range of cICP ignored, which samples of fewer than 8 bits cannot have"
CHRM_ALONE = "cHRM chunk without gAMA ignored, read as sRGB"
_TEXT_EXIF = b"Raw profile type exif"
_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6


@dataclass(slots=True)
class _Chunks:
    """The parts of a file: critical ones in order, the others by name (the first of each)."""

    critical: list[tuple[bytes, bytes]] = field(default_factory=list)
    extra: dict[bytes, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    frames: int = 0
    default_apart: bool = False

    def get(self, name: bytes, length: int | None = None) -> bytes | None:
        """An ancillary chunk, or None where it is absent or not `length` long."""
        data = self.extra.get(name)
        if data is not None and length is not None and len(data) != length:
            self.notes.append(f"damaged {name.decode()} chunk ignored")
            return None
        return data


def read_png(data: bytes, name: str) -> Raster:
    """The (first) image of a PNG.

    Raises:
        InputError: too many pixels.
        UnsupportedColourError: PQ or HLG.
        ValueError, OSError: damaged.
    """
    chunks = _split(data)
    head = chunks.critical[0][1]
    width, height, bits, kind = struct.unpack(">IIBB", head[:10])
    check_pixels(width, height, name)
    if not any(part[0] == b"IDAT" for part in chunks.critical):
        raise ValueError("no pixels in it")
    if (kind, bits) not in {(k, b) for k, bs in _DEPTHS.items() for b in bs}:
        raise ValueError(f"colour type {kind} with {bits} bits is not defined")
    _unpack(chunks, _raw_bytes(width, height, bits * _CHANNELS[kind], interlaced=head[12] == 1))
    raster = _samples(chunks, bits, kind)
    raster.notes[:0] = _frames(chunks)
    if bits == 16:
        raster.notes.append(depth_note(16))
    raster.orientation = from_exif(_exif(chunks), raster.notes)
    _colour(chunks, raster, 8 if kind == _PALETTE else bits)
    raster.notes.extend(chunks.notes)
    return raster


_CHANNELS = {_GREY: 1, _COLOUR: 3, _PALETTE: 1, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, and steps of each of Adam7's passes (PNG, 8.2)."""
_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _COLOUR: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _COLOUR_ALPHA: (8, 16),
}


def _split(data: bytes) -> _Chunks:
    chunks = _Chunks()
    position = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data):
            if any(kind == b"IDAT" for kind, _ in chunks.critical):
                break  # only IEND is missing: whether the pixels are whole is the decoder's to say
            raise ValueError("the file ends early")
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        content = data[position + 8 : position + 8 + length]
        end = position + 8 + length
        whole = len(content) == length and end + 4 <= len(data)
        sound = whole and zlib.crc32(content, zlib.crc32(kind)) == int.from_bytes(data[end : end + 4], "big")
        if kind in _CRITICAL:
            if not sound:
                raise ValueError(f"{kind.decode()} chunk {'fails its checksum' if whole else 'cut short'}")
            if kind in {b"IHDR", b"PLTE"} and any(known == kind for known, _ in chunks.critical):
                raise ValueError(f"more than one {kind.decode()} chunk")
            chunks.critical.append((kind, content))
        elif not kind[0] & 32:
            raise ValueError(f"critical chunk {kind!r} unknown" + (": Apple's own variant of PNG" * (kind == b"CgBI")))
        elif sound:
            chunks.extra.setdefault(_TEXT_EXIF if content.startswith(_TEXT_EXIF) else kind, content)
            chunks.frames += kind == b"fcTL"
        if kind == b"IDAT" and not chunks.frames:
            chunks.default_apart = True
        if kind == b"IEND" or not whole:
            break
        position = end + 4
    else:
        raise ValueError(f"more than {MAX_CHUNKS} chunks")
    if not chunks.critical or chunks.critical[0][0] != b"IHDR" or len(chunks.critical[0][1]) != 13:
        raise ValueError("no IHDR chunk at its beginning")
    return chunks


def _raw_bytes(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Bytes of an image before compression: a filter byte and the packed samples of each row, of all passes."""
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes if x < width and y < height]
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes)


def _unpack(chunks: _Chunks, expected: int) -> None:
    """Inflate the pixels once, checked, and leave them stored: a stream that ends early is a black image to Pillow."""
    packed = b"".join(content for kind, content in chunks.critical if kind == b"IDAT")
    # Deflate packs at most 1032 bytes into one (RFC 1951): what cannot be there is refused before memory is taken.
    inflate, raw = zlib.decompressobj(), b""
    if expected <= 1032 * len(packed):
        try:
            raw = inflate.decompress(packed, expected)
        except zlib.error as error:
            raise ValueError(f"its pixel data is damaged: {error}") from error
    if len(raw) < expected:
        raise ValueError(f"its pixel data ends early: {len(raw)} of {expected} bytes")
    del packed
    first = next(i for i, part in enumerate(chunks.critical) if part[0] == b"IDAT")
    rest = [part for part in chunks.critical[first:] if part[0] != b"IDAT"]
    chunks.critical[first:] = [(b"IDAT", part) for part in _stored(raw)] + rest


def _stored(raw: bytes) -> Iterator[bytes]:
    """A zlib stream that holds the bytes as they are (RFC 1950; RFC 1951, 3.2.4), in chunks of a few megabytes."""
    yield b"\x78\x01"
    for start in range(0, len(raw), 2**22):
        piece = zlib.compressobj(0, zlib.DEFLATED, -15)
        yield piece.compress(raw[start : start + 2**22]) + piece.flush(zlib.Z_SYNC_FLUSH)
    yield b"\x01\x00\x00\xff\xff" + zlib.adler32(raw).to_bytes(4, "big")


def _frames(chunks: _Chunks) -> list[str]:
    control = chunks.get(b"acTL", 8)
    if control is None or not chunks.frames:
        return []
    frames = min(int.from_bytes(control[:4], "big"), chunks.frames, MAX_FRAMES + 1) + chunks.default_apart
    return [first_of(frames)] if frames > 1 else []


def _exif(chunks: _Chunks) -> bytes:
    """The eXIf chunk, or the hexadecimal text in which older ImageMagick keeps the same."""
    text = chunks.extra.get(_TEXT_EXIF, b"").removeprefix(_TEXT_EXIF + b"\0\0")
    if b"eXIf" in chunks.extra or not text:
        return chunks.extra.get(b"eXIf", b"")
    try:
        lines = zlib.decompressobj().decompress(text, 2 * MAX_METADATA_BYTES).split(b"\n")
        return bytes.fromhex(b"".join(lines[3:]).decode("ascii"))
    except (zlib.error, ValueError):
        chunks.notes.append(UNREADABLE)
        return b""


def _samples(chunks: _Chunks, bits: int, kind: int) -> Raster:
    if kind == _PALETTE:
        return _by_palette(chunks)
    if bits < 16:
        raster = from_pillow(_open(chunks))
    elif kind == _GREY:
        raster = from_pillow(_open(chunks))
        raster = Raster(raster.samples.astype(np.uint16), "grey")
    else:
        raster = _deep(chunks, kind)
    key = chunks.extra.get(b"tRNS")
    if key and kind in {_GREY, _COLOUR} and len(key) == 2 * raster.samples.shape[2]:
        raster.alpha = _keyed(raster.samples, np.frombuffer(key, ">u2"), bits)
    return raster


def _by_palette(chunks: _Chunks) -> Raster:
    palette = next((content for kind, content in chunks.critical if kind == b"PLTE"), b"")
    if not palette or len(palette) % 3 or len(palette) > 768:
        raise ValueError(f"a palette of {len(palette)} bytes, 3 for each of 1 … 256 colours are expected")
    image = _open(chunks, (b"PLTE", b"tRNS"))
    beyond = sum(image.histogram()[len(palette) // 3 :])
    raster = from_pillow(image)
    if beyond:  # an error that each reader may mend its own way (PNG, 11.2.2)
        raster.notes.append(lacking(beyond))
    return raster


def _keyed(samples: UInt[np.ndarray, "h w c"], key: UInt[np.ndarray, " c"], bits: int) -> UInt[np.ndarray, "h w"]:
    """Transparency of one colour: compared as whole samples, at the file's own depth."""
    value = stretch(key & (2**bits - 1), bits)
    same = (samples == value.astype(samples.dtype)).all(2)
    return np.where(same, 0, np.iinfo(samples.dtype).max).astype(samples.dtype)


def _open(chunks: _Chunks, also: tuple[bytes, ...] = ()) -> Image.Image:
    head, *rest = [part for part in chunks.critical if part[0] in {b"IHDR", b"IDAT", *also}]
    clear = [(b"tRNS", chunks.extra[b"tRNS"])] if b"tRNS" in also and b"tRNS" in chunks.extra else []
    first = next((i for i, part in enumerate(rest) if part[0] == b"IDAT"), len(rest))
    parts = [head, *rest[:first], *clear, *(part for part in rest[first:] if part[0] == b"IDAT"), (b"IEND", b"")]
    whole = SIGNATURE + b"".join(_chunk(kind, content) for kind, content in parts)
    return Image.open(io.BytesIO(whole), formats=["PNG"])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def _deep(chunks: _Chunks, kind: int) -> Raster:
    """Colour, or grey with alpha, of 16 bits per sample, all of them kept."""
    if kind == _GREY_ALPHA:  # 2 × 16 bits are decoded as the 4 × 8 they are made of
        raw = _unpacked(chunks, "RGBA", "RGBA").astype(np.uint16)
        return Raster(raw[:, :, :1] * 256 + raw[:, :, 1:2], "grey", raw[:, :, 2] * 256 + raw[:, :, 3])
    mode = "RGB" if kind == _COLOUR else "RGBA"
    # PNG stores the high byte first: taken for the other byte order, the same data gives the low ones.
    samples = _unpacked(chunks, mode, f"{mode};16B").astype(np.uint16) << 8
    samples |= _unpacked(chunks, mode, f"{mode};16L")
    return Raster(samples[:, :, :3], "rgb", samples[:, :, 3] if mode == "RGBA" else None)


def _unpacked(chunks: _Chunks, mode: str, layout: str) -> UInt8[np.ndarray, "h w c"]:
    image = _open(chunks)
    if not isinstance(image, ImageFile.ImageFile) or len(image.tile) != 1:
        raise ValueError("no image data")
    image._mode = mode
    image.tile = [image.tile[0]._replace(args=layout)]
    return np.array(image, np.uint8)


def _colour(chunks: _Chunks, raster: Raster, bits: int) -> None:
    """Profile or tag by the standard's precedence: the first that is there and can be used."""
    code = chunks.get(b"cICP", 4)
    if code is not None:
        if code[2] == 0:
            raster.tag = from_code_points(code[0], code[1])
            if code[3] == 0 and bits >= 8:
                raster.samples = _full_range(raster.samples, bits)
            if code[3] == 0:
                chunks.notes.append(NARROW if bits >= 8 else TOO_FEW_BITS)
            return
        chunks.notes.append("cICP chunk with a matrix, which PNG does not allow, ignored")
    packed = chunks.get(b"iCCP")
    if packed is not None:
        raster.profile = _unpack_profile(packed)
        if raster.profile is not None:
            return
        chunks.notes.append("unusable ICC profile ignored")
    if chunks.get(b"sRGB", 1) is None:
        raster.tag = _gamma(chunks)
        if raster.tag is None and b"gAMA" not in chunks.extra:
            raster.tag = colour_from_exif(_exif(chunks))


def _full_range(samples: UInt[np.ndarray, "h w c"], bits: int) -> UInt[np.ndarray, "h w c"]:
    """Samples of narrow range at full range; what lies below black or above white is clipped.

    Black is 16 and white 235 of 8 bits, both times 256 of 16 (H.273, 8.3, for MatrixCoefficients 0).
    """
    unit, full = 1 << (bits - 8), (1 << bits) - 1
    levels = (np.arange(full + 1) - 16 * unit) * (full / (219 * unit))
    table = np.rint(np.clip(levels, 0, full)).astype(samples.dtype)
    return np.asarray(table[samples])


def _unpack_profile(packed: bytes) -> bytes | None:
    end = packed.find(b"\0", 0, 80)
    if end < 0 or packed[end + 1 : end + 2] != b"\0":
        return None
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(packed[end + 2 :], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if inflate.eof else None


def _gamma(chunks: _Chunks) -> Tag | None:
    gamma, points = chunks.get(b"gAMA", 4), chunks.get(b"cHRM", 32)
    if gamma is None:  # chromaticities without a curve say nothing: untagged is sRGB
        return Tag(note=CHRM_ALONE) if points and not _are_srgb(_points(points)) else None
    value = int.from_bytes(gamma, "big")
    if not 5_000 <= value <= 2_000_000:
        return Tag(note=f"gAMA of {value / 100_000:g} ignored")
    curve = srgb_curve if SRGB_GAMMA[0] <= value <= SRGB_GAMMA[1] else power(100_000 / value)
    try:
        space = from_chromaticities(f"gAMA {value / 100_000:g}", curve, _points(points) if points else SRGB_PRIMARIES)
    except ValueError:
        return Tag(note="unusable cHRM chunk, and gAMA with it, ignored")
    return None if is_srgb(space) else Tag(space)


def _are_srgb(points: tuple[Point, Point, Point, Point]) -> bool:
    """Whether chromaticities are sRGB's, as far as writers round them."""
    both = zip(points, SRGB_PRIMARIES, strict=True)
    return all(abs(a - b) < 0.002 for given, known in both for a, b in zip(given, known, strict=True))


def _points(chunk: bytes) -> tuple[Point, Point, Point, Point]:
    x0, y0, x1, y1, x2, y2, x3, y3 = (np.frombuffer(chunk, ">u4") / 100_000).tolist()
    return (x0, y0), (x1, y1), (x2, y2), (x3, y3)
