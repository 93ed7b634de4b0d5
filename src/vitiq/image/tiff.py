"""TIFF: 8-bit and bilevel images through Pillow and libtiff; deeper ones sample by sample, in `tiff_samples`.

Source: TIFF 6.0; Adobe Photoshop TIFF technical notes (associated alpha); DNG 1.7 (tag 50706, refused).
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from vitiq.errors import InputError
from vitiq.image.colour_space import Tag
from vitiq.image.depth import depth_note, stretch
from vitiq.image.exif_colour import colour_of
from vitiq.image.ifd import DamagedTagsError, Directory, count_directories, first_directory
from vitiq.image.jpeg import read_jpeg
from vitiq.image.limits import MAX_PROFILE_BYTES, check_pixels
from vitiq.image.orientation import ORIENTATION, valid
from vitiq.image.quiet import refusing_damage
from vitiq.image.raster import Raster, UnsupportedKindError, first_of, from_pillow, whole_rows
from vitiq.image.tiff_samples import read_deep, reads

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _FORMAT, _PROFILE = 256, 257, 258, 262, 339, 34675
_PALETTE, _LAB = 3, 8
_DEPTH = 32997  # ImageDepth, of SGI
_REDUCED, _CAMERA_RAW = 254, {50706: "DNG", 33421: "a camera's raw mosaic"}
_COMPRESSION, _TILE_WIDTH, _PREDICTOR = 259, 322, 317
_EXTRA, _UNSPECIFIED = 338, 0
_OLD_JPEG, _JPEG_START, _JPEG_BYTES, _YCBCR = 6, 513, 514, 6
_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925, 50000, 50013}
"""None, the fax codings, LZW, JPEG old and new, Deflate under three numbers, PackBits, LZMA, Zstandard."""
_UNREAD_COMPRESSIONS = {34712: "JPEG 2000", 34887: "LERC", 34892: "lossy JPEG", 34934: "JPEG XR", 50001: "WebP",
                        50002: "JPEG XL", 52546: "JPEG XL", 33003: "JPEG 2000", 33005: "JPEG 2000"}  # fmt: skip
_COLORIMETRY = {301, 318, 319}
_FLOAT = 3
_UNREAD_FORMATS = {2: "signed whole numbers", 5: "complex whole numbers", 6: "complex numbers"}


def read_tiff(data: bytes, name: str) -> Raster:
    """The first page of a TIFF.

    Raises:
        InputError: too many pixels, or samples that say nothing about black and white.
        ValueError, OSError: damaged.
    """
    tags = first_directory(data)
    big_endian_big = data.startswith(b"MM\x00\x2b")  # which Pillow does not open
    check_pixels(tags.number(_WIDTH, 0), tags.number(_HEIGHT, 0), name)
    _refuse_raw(tags, name)
    _refuse_compression(tags.number(_COMPRESSION, 1), name)
    bits = max(tags.numbers(_BITS, (1,)), default=1)
    kind = max(tags.numbers(_FORMAT, (1,)), default=1)
    if kind in _UNREAD_FORMATS:
        raise InputError(f"{name}: TIFF of {_UNREAD_FORMATS[kind]}; scale it to 0 … 255 or 0 … 65535 and save again")
    if _by_samples(tags, bits, kind, big_endian_big=big_endian_big):
        raster = read_deep(data, tags, name)
        if kind == _FLOAT:
            raster.notes.append("floating point scaled from 0 … 1 to 8 bits")
        elif bits > 8 and tags.number(_PHOTOMETRIC, 1) != _PALETTE:
            raster.notes.append(depth_note(bits))
        raster.orientation = valid(tags.number(ORIENTATION, 1))
    elif big_endian_big:
        raise UnsupportedKindError(
            f"BigTIFF of {bits} bits with the high byte first, compressed or coloured in a way that "
            "vitiq cannot decode; save it with the low byte first, or as PNG"
        )
    else:
        raster = _eight(data, tags, bits, name)
    slices = tags.number(_DEPTH, 1)
    if slices > 1:  # of a volume, one behind the other
        raster.notes.insert(0, first_of(slices, "slices"))
    pages = count_directories(data)
    if pages > 1:
        raster.notes.insert(0, first_of(pages))
    converted = tags.number(_PHOTOMETRIC, 1) == _LAB and raster.model == "rgb"
    raster.profile = None if converted else _profile(tags)
    if raster.profile is None:
        raster.tag = _exif_colour(tags)
    if raster.profile is None and raster.tag is None and _COLORIMETRY & tags.entries.keys():
        raster.notes.append("TIFF's colorimetry tags ignored, read as sRGB")
    return raster


def _by_samples(tags: Directory, bits: int, kind: int, *, big_endian_big: bool) -> bool:
    """Whether samples are read one by one: where Pillow cannot, or not exactly."""
    if kind == _FLOAT or bits not in {1, 2, 4, 8, 12}:
        return True
    odd = (
        bits == 12
        or (bits < 8 and tags.number(_PREDICTOR, 1) != 1)  # which libtiff does not know
        or (_TILE_WIDTH in tags.entries and tags.number(_COMPRESSION, 1) == 1)
        or (bits in {2, 4} and len(tags.numbers(_BITS, (1,))) > 1)
    )
    return reads(tags) and (odd or big_endian_big or tags.number(_PHOTOMETRIC, 1) == _PALETTE)


def _refuse_raw(tags: Directory, name: str) -> None:
    found = next((said for tag, said in _CAMERA_RAW.items() if tag in tags.entries), None)
    if found or tags.number(_PHOTOMETRIC, 1) in {32803, 34892}:
        raise InputError(f"{name}: {found or 'a camera’s raw mosaic'}; develop it to PNG or TIFF first")
    if tags.number(_REDUCED, 0) & 1:
        raise InputError(
            f"{name}: the first image in this TIFF is a reduced preview of another (a camera's raw file does this); "
            "save the image you mean as PNG or TIFF"
        )


def _refuse_compression(number: int, name: str) -> None:
    if number not in _COMPRESSIONS:
        kind = _UNREAD_COMPRESSIONS.get(number, f"number {number}")
        raise InputError(
            f"{name}: TIFF of the compression {kind}, which vitiq cannot decode; save it with Deflate or LZW"
        )


def _eight(data: bytes, tags: Directory, bits: int, name: str) -> Raster:
    """What Pillow reads without loss; channels beyond those it knows are left to `read_deep`."""
    orientation = valid(tags.number(ORIENTATION, 1))
    try:
        raster = _packed(data, name) if bits == 12 else _through_pillow(data, name)
    except UnidentifiedImageError:
        if _PHOTOMETRIC not in tags.entries or not reads(tags):
            raise
        raster = read_deep(data, tags, name)
        raster.orientation = orientation
    except (OSError, ValueError):
        whole = _old_jpeg(data, tags, name)
        if whole is None:
            raise
        raster = whole
        raster.orientation = orientation
    else:
        raster.turned = orientation  # Pillow turns TIFFs as it loads them
        if tags.numbers(_EXTRA)[:1] == (_UNSPECIFIED,):
            raster.notes.append("extra channel ignored")
    return raster


def _through_pillow(data: bytes, name: str) -> Raster:
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        check_pixels(*image.size, name)
        whole_rows(image)
        if isinstance(image, TiffImagePlugin.TiffImageFile) and image.mode == "YCbCr":
            # Uncompressed: Pillow's own decoder knows neither subsampling nor the file's coefficients, libtiff does.
            image._mode = "RGB"
            image.use_load_libtiff = True
            offset = image.tag_v2.offset
            image.tile = [ImageFile._Tile("libtiff", (0, 0, *image.size), 0, ("RGBX", False, offset))]
        with refusing_damage():
            image.load()
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"samples of the kind {image.mode}")
        return from_pillow(image)


def _old_jpeg(data: bytes, tags: Directory, name: str) -> Raster | None:
    """The image of a whole JPEG that old JPEG coding puts into the file; None where it lies there in pieces.

    libtiff does not read the JPEG itself and refuses many of these (TIFF technical note 2 tells why). Only where JPEG's
    own rules give the colours that the TIFF states.
    """
    start, length = tags.number(_JPEG_START, 0), tags.number(_JPEG_BYTES, 0)
    jpeg = data[start : start + length]
    if tags.number(_COMPRESSION, 1) != _OLD_JPEG or not jpeg.startswith(b"\xff\xd8") or b"\xff\xda" not in jpeg:
        return None
    raster = read_jpeg(jpeg, name)
    wanted = {"grey": {0, 1}, "rgb": {_YCBCR}}.get(raster.model, set())
    width, height = tags.number(_WIDTH, 0), tags.number(_HEIGHT, 0)
    if (
        tags.number(_PHOTOMETRIC, 1) not in wanted
        or raster.samples.shape[0] < height
        or raster.samples.shape[1] < width
    ):
        return None
    return Raster(raster.samples[:height, :width], raster.model)  # a tile may be larger than the image


def _packed(data: bytes, name: str) -> Raster:
    """Grey of 12 bits a sample, which Pillow unpacks without loss."""
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        check_pixels(*image.size, name)
        raster = from_pillow(image)
    if raster.samples.dtype != np.uint16:
        raise ValueError("12-bit samples that are not grey")
    return Raster(stretch(raster.samples, 12), "grey", notes=[depth_note(12)])


def _exif_colour(tags: Directory) -> Tag | None:
    try:
        return colour_of(tags)
    except DamagedTagsError:
        return None


def _profile(tags: Directory) -> bytes | None:
    if _PROFILE not in tags.entries or tags.entries[_PROFILE][1] > MAX_PROFILE_BYTES:
        return None
    return tags.raw(_PROFILE)
