"""Samples of TIFFs as the file has them: integers of 1 … 16 bits, floats, palettes; strips or tiles, chunky or planar.

Pillow cuts deep colour to 8 bits, reads planar deep files wrongly and knows few other depths. Here the strips are taken
apart by the tags; compressed ones are inflated, or, for LZW and others, handed to libtiff as if they were rows of 8-bit
grey, which gives their bytes.

Source: TIFF 6.0, sections 3, 14 (predictor), 15 (tiles), 18 (alpha); TIFF technical note 3 (floating-point predictor).
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped, UInt, UInt8
from PIL import Image

from vitiq.errors import InputError
from vitiq.image.depth import from_float, stretch
from vitiq.image.ifd import Directory
from vitiq.image.lab import CONVERTED, from_lab
from vitiq.image.limits import MAX_CHUNKS
from vitiq.image.raster import Model, Raster, lacking

_NONE, _FLATE = 1, {8, 32946, 50013}
"""Uncompressed; Deflate, under its number, an older one, and one of Pixtiff's own."""
_LIBTIFF = {5: "LZW", 32773: "PackBits", 34925: "LZMA", 50000: "Zstandard"}
_PREDICTED = {5, *_FLATE, 34925, 50000}
"""Compressions with which the tag of a predictor counts; libtiff passes over it with others."""
_MODELS: dict[int, tuple[Model, int]] = {0: ("grey", 1), 1: ("grey", 1), 2: ("rgb", 3), 3: ("rgb", 1), 5: ("cmyk", 4),
                                            8: ("lab", 3)}  # fmt: skip
_WHITE_IS_ZERO, _PALETTE, _LAB = 0, 3, 8
_ASSOCIATED, _UNASSOCIATED = 1, 2
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
ADVICE = "save it as an 8- or 16-bit RGB or grey TIFF or PNG"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where samples lie: planes of blocks (strips or tiles) of `rows`×`columns`, `per_pixel` samples a pixel."""

    width: int
    height: int
    tiled: bool
    rows: int
    columns: int
    per_pixel: int
    planes: int
    depth: int
    kind: np.dtype[np.generic]
    compression: int
    reversed_bits: bool
    predictor: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]


def reads(tags: Directory) -> bool:
    """Whether `read_deep` knows the colours and the compression of a page."""
    return tags.number(262, 1) in _MODELS and tags.number(259, 1) in {_NONE, *_FLATE, *_LIBTIFF}


def read_deep(data: bytes, tags: Directory, name: str) -> Raster:
    """Samples over the whole range of 8 or 16 bits, white-is-zero turned round, premultiplied alpha divided out.

    Raises:
        InputError: kinds of samples that are not read, or floats outside 0 … 1.
        ValueError: damaged.
    """
    photometric = tags.number(262, 1)
    if photometric not in _MODELS:
        raise InputError(f"{name}: TIFF of photometric interpretation {photometric} with deep samples; {ADVICE}")
    model, colours = _MODELS[photometric]
    layout = _layout(tags, name)
    values = _assemble(data, layout)
    if values.shape[2] < colours:
        raise ValueError(f"{values.shape[2]} samples a pixel, {colours} are expected")
    if layout.kind.kind == "f":
        values = from_float(values, name)
    notes: list[str] = []
    own = _looked_up(values[:, :, 0], tags, notes) if photometric == _PALETTE else values[:, :, :colours]
    rest = values[:, :, colours:]
    if layout.kind.kind == "u":
        own = own if photometric in {_PALETTE, _LAB} else stretch(own, layout.depth)
        rest = stretch(rest, layout.depth)
    if photometric == _LAB:
        if layout.depth not in {8, 16} or layout.kind.kind != "u":
            raise InputError(f"{name}: TIFF of L*a*b* with {layout.depth}-bit samples of this kind; {ADVICE}")
        own, model = from_lab(own, layout.depth), "rgb"
        notes.append(CONVERTED)
    raster = Raster(own, model, notes=notes)
    extra = tags.numbers(338)
    if rest.shape[2] and extra[:1] in {(_ASSOCIATED,), (_UNASSOCIATED,)}:
        raster.alpha = rest[:, :, 0]
        if extra[0] == _ASSOCIATED and photometric != _PALETTE:
            raster.samples = _divided(raster.samples, raster.alpha)
    elif rest.shape[2]:
        raster.notes.append("extra channel ignored")
    if photometric == _WHITE_IS_ZERO:
        raster.samples = np.invert(raster.samples)
    return raster


def _looked_up(indices: UInt[np.ndarray, "h w"], tags: Directory, notes: list[str]) -> UInt[np.ndarray, "h w 3"]:
    """Colours of a palette: all red values, then green, then blue, of 16 bits, or of 8 as some writers mistake it."""
    table = np.array(tags.numbers(320), np.uint16)
    if not table.size or table.size % 3:
        raise ValueError(f"a palette of {table.size} numbers")
    if table.max() < 256:  # as libtiff takes it ("assuming 8-bit colormap"); by the standard all would be black
        table = (table * 257).astype(np.uint16)
        notes.append("palette read as one of 8-bit colours")
    colours = table.reshape(3, -1).T
    beyond = indices >= len(colours)
    if beyond.any():
        notes.append(lacking(int(beyond.sum())))
    found = colours[np.where(beyond, 0, indices)]
    found[beyond] = 0
    return np.asarray(found)


def _divided(samples: UInt[np.ndarray, "h w c"], alpha: UInt[np.ndarray, "h w"]) -> UInt[np.ndarray, "h w c"]:
    top = np.iinfo(samples.dtype).max
    wide = samples.astype(np.uint64) * top
    whole = np.minimum(wide // np.maximum(alpha, 1)[:, :, None].astype(np.uint64), top)
    return np.asarray(whole, samples.dtype)


def _layout(tags: Directory, name: str) -> _Layout:
    bits, formats = set(tags.numbers(258, (1,))), set(tags.numbers(339, (1,)))
    if len(bits) != 1 or len(formats) != 1:
        raise InputError(f"{name}: TIFF whose channels have different kinds of samples; {ADVICE}")
    depth, kind = bits.pop(), "f" if formats.pop() == 3 else "u"
    if not (1 <= depth <= 16 if kind == "u" else depth in {16, 32, 64}):
        what = {"u": "integers", "f": "floating point"}[kind]
        raise InputError(f"{name}: TIFF of {depth}-bit {what}, whose black and white are not stated; {ADVICE}")
    compression = tags.number(259, 1)
    if compression not in {_NONE, *_FLATE, *_LIBTIFF}:
        raise InputError(f"{name}: TIFF compression {compression} with {depth}-bit samples; {ADVICE}")
    width, height, count = tags.number(256, 0), tags.number(257, 0), tags.number(277, 1)
    if not 1 <= count <= 64:
        raise ValueError(f"{count} samples a pixel")
    predictor = tags.number(317, 1) if compression in _PREDICTED else 1
    if predictor not in _predictors(kind):
        raise InputError(
            f"{name}: TIFF of {depth}-bit samples with predictor {predictor}, which vitiq cannot decode; "
            "save it without a predictor, or with 8 or 16 bits"
        )
    planar = tags.number(284, 1) == 2
    tiled = 322 in tags.entries
    columns, rows = (
        (tags.number(322, 0), tags.number(323, 0)) if tiled else (width, min(tags.number(278, height), height))
    )
    if not (1 <= columns <= width + 65_536 and 1 <= rows <= height + 65_536):
        raise ValueError("strips or tiles of an impossible size")
    blocks = -(-width // columns) * -(-height // rows) * (count if planar else 1)
    offsets, counts = tags.numbers(324 if tiled else 273), tags.numbers(325 if tiled else 279)
    if tiled and not offsets:  # some writers of tiles name them strips, which is the same to libtiff
        offsets, counts = tags.numbers(273), tags.numbers(279)
    if not counts and blocks == 1:
        counts = (2**31,)
    if not blocks <= min(len(offsets), len(counts)) or blocks > MAX_CHUNKS:
        raise ValueError(f"{min(len(offsets), len(counts))} strips or tiles, {blocks} are expected")
    numpy_kind = np.dtype(f"{tags.order}{kind}{(depth + 7) // 8}")
    per_pixel, planes = (1, count) if planar else (count, 1)
    return _Layout(
        width=width,
        height=height,
        tiled=tiled,
        rows=rows,
        columns=columns,
        per_pixel=per_pixel,
        planes=planes,
        depth=depth,
        kind=numpy_kind,
        compression=compression,
        reversed_bits=tags.number(266, 1) == 2,
        predictor=predictor,
        offsets=offsets,
        counts=counts,
    )


def _predictors(kind: str) -> set[int]:
    """None, differences of whole samples, differences of the bytes of floats."""
    return {1, 2, 3} if kind == "f" else {1, 2}


def _assemble(data: bytes, layout: _Layout) -> Shaped[np.ndarray, "h w c"]:
    out = np.zeros((layout.height, layout.width, layout.per_pixel * layout.planes), layout.kind.newbyteorder("="))
    index = 0
    for plane in range(layout.planes):
        for top in range(0, layout.height, layout.rows):
            for left in range(0, layout.width, layout.columns):
                rows = layout.rows if layout.tiled else min(layout.rows, layout.height - top)
                raw = data[layout.offsets[index] : layout.offsets[index] + layout.counts[index]]
                block = _block(raw, rows, layout)
                part = out[top : top + layout.rows, left : left + layout.columns]
                at = plane * layout.per_pixel
                part[:, :, at : at + layout.per_pixel] = block[: part.shape[0], : part.shape[1]]
                index += 1
    return out


def _block(raw: bytes, rows: int, layout: _Layout) -> Shaped[np.ndarray, "rows columns c"]:
    width = layout.columns * layout.per_pixel
    row_bytes = (width * layout.depth + 7) // 8
    length = rows * row_bytes
    raw = raw.translate(_REVERSED) if layout.reversed_bits else raw
    raw = _decompressed(raw, rows, length, layout.compression)
    if len(raw) < length:
        raise ValueError("a strip or tile is cut short")
    shape = (rows, layout.columns, layout.per_pixel)
    if layout.predictor == 3 and layout.kind.kind == "f":
        return _float_predicted(np.frombuffer(raw, np.uint8, length), shape, layout)
    if layout.depth % 8:
        packed = np.frombuffer(raw, np.uint8, length).reshape(rows, row_bytes)
        samples = _unpacked(packed, width, layout.depth).reshape(shape)
        if layout.predictor == 2:
            samples = np.cumsum(samples, axis=1, dtype=samples.dtype) & samples.dtype.type(2**layout.depth - 1)
        return samples
    values = np.frombuffer(raw, layout.kind, length // layout.kind.itemsize).reshape(shape)
    if layout.predictor == 2:
        whole = values.view(f"{layout.kind.str[0]}u{layout.kind.itemsize}")
        summed = np.cumsum(whole, axis=1, dtype=f"=u{layout.kind.itemsize}")
        return summed.view(layout.kind.newbyteorder("="))
    return values


def _unpacked(packed: UInt8[np.ndarray, "rows bytes"], width: int, depth: int) -> UInt[np.ndarray, "rows width"]:
    """Samples that lie bit by bit, the highest first; each row begins with a byte (TIFF 6.0, section 3)."""
    out = np.zeros((len(packed), width), np.uint8 if depth <= 8 else np.uint16)
    for row in range(len(packed)):  # row by row: each bit becomes a byte
        bits = np.unpackbits(packed[row], count=width * depth).reshape(width, depth)
        for position in range(depth):
            out[row] = out[row] << 1 | bits[:, position]
    return out


def _float_predicted(
    raw: UInt[np.ndarray, " n"], shape: tuple[int, int, int], layout: _Layout
) -> Shaped[np.ndarray, "rows columns c"]:
    rows, columns, per_pixel = shape
    size = layout.kind.itemsize
    summed = np.cumsum(raw.reshape(rows, -1, per_pixel), axis=1, dtype=np.uint8).reshape(
        rows, size, columns * per_pixel
    )
    swapped = np.ascontiguousarray(summed.transpose(0, 2, 1))  # bytes from high to low, whatever the file's order
    return swapped.view(f">f{size}").reshape(shape)


def _decompressed(raw: bytes, rows: int, length: int, compression: int) -> bytes:
    if compression == _NONE:
        return raw
    if compression in _FLATE:
        try:
            return zlib.decompressobj().decompress(raw, length)
        except zlib.error as error:
            raise ValueError(f"a strip or tile is damaged ({error})") from error
    with Image.open(io.BytesIO(_wrapped(raw, rows, length // rows, compression)), formats=["TIFF"]) as image:
        return image.tobytes()


def _wrapped(raw: bytes, rows: int, row_bytes: int, compression: int) -> bytes:
    """A TIFF of one strip of 8-bit grey whose rows are the bytes of deep ones."""
    tags = {256: row_bytes, 257: rows, 258: 8, 259: compression, 262: 1, 273: 0, 277: 1, 278: rows, 279: len(raw)}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + raw
