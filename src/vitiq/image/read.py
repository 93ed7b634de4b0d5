"""Image files to `ImageU8`: the one way in, for commands, the Python interface and the viewer.

A format is recognised by content, its samples are read exactly, then brought to 8-bit sRGB: depth by rounding, colour
by profile or tag, transparency laid on white, orientation applied. What was changed is a note; what cannot be read
exactly is an InputError that names the file. docs/reference/input.md is the whole policy.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt, UInt8
from PIL import Image, UnidentifiedImageError

from vitiq.errors import InputError, first_line
from vitiq.image import colour_profile, colour_space, jpeg2000_tiles
from vitiq.image.avif_mending import MENDED, mended
from vitiq.image.bmp import read_bmp
from vitiq.image.boxes import Jp2Header, avif_colour, jp2_header
from vitiq.image.clean_aperture import cut
from vitiq.image.depth import depth_note, from_float, stretch, to_eight
from vitiq.image.exif_colour import colour_from_exif
from vitiq.image.formats import EXPECTED, FORMATS, HEAD_BYTES, detect, what_else
from vitiq.image.header_colour import count_gif_frames, gif_first_frame, gif_profile
from vitiq.image.jpeg import GAIN_MAP, read_jpeg
from vitiq.image.jpeg2000 import read_deep_colour
from vitiq.image.jpeg2000_channels import arrange, as_rgb, by_palette, order
from vitiq.image.jxl import jxl_header
from vitiq.image.lab import CONVERTED
from vitiq.image.limits import MAX_PIXELS, check_pixels, read_bounded
from vitiq.image.orientation import NOTE, from_exif, turn
from vitiq.image.png import read_png
from vitiq.image.pnm import read_pnm
from vitiq.image.quiet import quiet
from vitiq.image.raster import Raster, UnsupportedKindError, divide_out, first_of, from_pillow, whole_rows
from vitiq.image.tga import read_tga
from vitiq.image.tiff import read_tiff
from vitiq.types import ImageU8

FLOATS_CUT = "floating-point samples outside 0 … 1 cut off, as libjxl does"
GREY, ON_WHITE = "grey repeated in three channels", "transparency laid on white"
_JP2_SPACES = {None, 0, 12, 15, 16, 17, 18}
"""Enumerated spaces that Pillow brings to grey, RGB or CMYK: bilevel, CMYK, sRGB, grey, sYCC (15444-2, M.11.7.3.1)."""
_JP2_MOST = 4
"""Components of a JPEG 2000 file that Pillow decodes."""


def read_image(path: Path) -> ImageU8:
    """The image in a file; raises as `read_image_details`."""
    return read_image_details(path)[0]


def read_image_details(path: Path) -> tuple[ImageU8, list[str]]:
    """The image in a file, and a note for everything that was changed to fit it into 8-bit sRGB.

    Raises:
        InputError: missing, empty, no image, truncated, too large, or not to be read exactly.
    """
    path = Path(path)
    return decode_image(read_bounded(path), str(path))


def decode_image(data: bytes, name: str) -> tuple[ImageU8, list[str]]:
    """As `read_image_details`, from bytes; `name` stands in messages."""
    if not data:
        raise InputError(f"{name}: the file is empty, an image is expected; get it again")
    form = detect(data[:HEAD_BYTES], Path(name).suffix, data[-26:])
    if form is None:
        said = what_else(data)
        raise InputError(
            f"{name}: this is {said}"
            if said
            else f"{name}: not an image in a format vitiq reads (starts with {data[:8]!r}); give {EXPECTED}"
        )
    try:
        with warnings.catch_warnings(), quiet():
            # Our own limits decide, and broken metadata must not stop a good image.
            warnings.simplefilter("ignore")
            raster = _READERS.get(form, _through_pillow(form))(data, name)
            return to_image(raster), raster.notes
    except InputError:
        raise
    except colour_space.UnsupportedColourError as error:
        raise InputError(f"{name}: {error}") from error
    except UnsupportedKindError as error:
        raise InputError(f"{name}: {error}") from error
    except UnidentifiedImageError as error:  # its text names an object in memory
        raise InputError(
            f"{name}: the {FORMATS[form].title} in it is damaged, or of a kind that vitiq cannot decode"
            f"{_reason(form, data)}; get the file again, or save it as PNG"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{name}: more than {MAX_PIXELS} pixels given; shrink it or cut it into tiles") from error
    except MemoryError as error:
        raise InputError(f"{name}: not enough memory to read this image; shrink it or cut it into tiles") from error
    except Exception as error:  # a decoder may raise anything on hostile bytes
        said = first_line(error)
        if "nsupported" in said or "Not implemented" in said:  # as Pillow and libavif say of whole files
            raise InputError(
                f"{name}: a kind of {FORMATS[form].title} that vitiq cannot decode ({said}); save it as PNG"
            ) from error
        if said.startswith("decoder error"):  # a number of Pillow's own
            said = "its decoder finds errors in its pixels"
        if said.startswith("Generic Error"):  # its advice is for those who build libjxl
            said = "libjxl cannot decode it"
        raise InputError(f"{name}: the image is truncated or damaged ({said}); get the file again") from error


def _reason(form: str, data: bytes) -> str:
    """Why Pillow does not open a file as one of its format, in brackets: it keeps that to itself."""
    try:
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            Image.OPEN[form][0](io.BytesIO(data), "")
    except Exception as error:  # whatever it is, it is the reason
        said = first_line(error).removeprefix("Failed to decode image: ")
        return f" ({said})" if said else ""
    return ""


def to_image(raster: Raster) -> ImageU8:
    """A raster in 8-bit sRGB, opaque and turned as it is to be shown; what is changed is added to its notes."""
    if raster.model == "grey":
        raster.notes.insert(_frames_first(raster), GREY)
    colour = _coloured(raster)
    if raster.alpha is not None:
        colour = _on_white(colour, to_eight(raster.alpha), raster.notes)
    if raster.orientation != 1 or raster.turned != 1:
        raster.notes.insert(_frames_first(raster), NOTE)
    return np.ascontiguousarray(turn(colour, raster.orientation), np.uint8)


def _frames_first(raster: Raster) -> int:
    return int(bool(raster.notes) and raster.notes[0].startswith("first of"))


def _coloured(raster: Raster) -> UInt8[np.ndarray, "h w 3"]:
    """8-bit sRGB: by the profile, else by the tag, else as the values stand."""
    if raster.profile is not None:
        converted = colour_profile.to_srgb(raster, raster.profile)
        if converted is not None:
            return converted
        raster.tag = None  # the profile has said it, be it sRGB
    if raster.model == "cmyk":
        raster.notes.append("CMYK converted to RGB")
        return _from_inks(to_eight(raster.samples))
    if raster.model == "lab":
        raster.notes.append(CONVERTED)
        return colour_profile.lab_to_srgb(to_eight(raster.samples))
    if raster.tag is not None and raster.tag.note:
        raster.notes.append(raster.tag.note)
    samples: UInt[np.ndarray, "h w 3"] = np.broadcast_to(raster.samples, (*raster.samples.shape[:2], 3))
    if raster.tag is None or raster.tag.space is None or colour_space.is_srgb(raster.tag.space):
        return to_eight(samples)
    colour_space.check_eight_bits(raster.tag.space, raster.cut_from)
    raster.notes.append(f"converted from {raster.tag.space.name} to sRGB")
    return colour_space.convert(samples, raster.tag.space)


def _from_inks(inks: UInt8[np.ndarray, "h w 4"]) -> UInt8[np.ndarray, "h w 3"]:
    """The plain rule for CMYK without a profile: (1 - C)(1 - K), rounded."""
    out = np.empty((*inks.shape[:2], 3), np.uint8)
    for rows in _bands(inks):
        paper = 255 - inks[rows].astype(np.uint32)
        out[rows] = (paper[:, :, :3] * paper[:, :, 3:] + 127) // 255
    return out


def _on_white(
    colour: UInt8[np.ndarray, "h w 3"], alpha: UInt8[np.ndarray, "h w"], notes: list[str]
) -> UInt8[np.ndarray, "h w 3"]:
    if alpha.min(initial=255) == 255:
        return colour
    notes.append(ON_WHITE)
    out = np.empty_like(colour, order="C")
    for rows in _bands(colour):
        cover = alpha[rows, :, None].astype(np.uint32)
        out[rows] = (colour[rows] * cover + 255 * (255 - cover) + 127) // 255
    return out


def _bands(samples: UInt[np.ndarray, "h w c"]) -> Iterator[slice]:
    """Rows of about a million pixels at a time: what is computed with wider numbers takes little memory."""
    step = max(1, 2**20 // max(1, samples.shape[1]))
    return (slice(top, top + step) for top in range(0, samples.shape[0], step))


# Formats that Pillow reads as they are


def _through_pillow(form: str) -> Callable[[bytes, str], Raster]:
    def read(data: bytes, name: str) -> Raster:
        if form == "JXL":
            _need_jxl(name)
        with Image.open(io.BytesIO(data), formats=[form]) as image:
            check_pixels(*image.size, name)
            whole_rows(image)
            frames = count_gif_frames(data) if form == "GIF" else int(getattr(image, "n_frames", 1))
            image.load()
            if image.mode == "F":
                raster = Raster(from_float(np.asarray(image)[:, :, None], name), "grey")
                raster.notes.append("floating point scaled from 0 … 1 to 8 bits")
            else:
                raster = from_pillow(image)
            if frames > 1:
                raster.notes.insert(0, first_of(frames))
            if raster.samples.dtype == np.uint16:
                raster.notes.append(depth_note(16))
            raster.profile = image.info.get("icc_profile")
            exif = image.info.get("exif") or b""
            raster.tag = colour_from_exif(exif)
            if form != "JXL" or getattr(image, "jpeg", False):  # libjxl turns its own images, no JPEG packed in one
                raster.orientation = from_exif(exif, raster.notes)
            return raster

    return read


def _read_avif(data: bytes, name: str) -> Raster:
    try:
        return _decoded_avif(data, name)
    except UnidentifiedImageError:
        better = mended(data)
        if better is None:
            raise
    raster = _decoded_avif(better, name)
    raster.notes.append(MENDED)
    return raster


def _decoded_avif(data: bytes, name: str) -> Raster:
    colour = avif_colour(data)
    raster = _through_pillow("AVIF")(data, name)
    raster.tag = colour.tag or (None if colour.stated else raster.tag)
    if colour.bits > 8:
        raster.cut_from = colour.bits
        raster.notes.append(depth_note(colour.bits))
    if colour.gain_map:
        raster.notes.append(GAIN_MAP)
    if colour.crop:
        cut(raster, colour.crop)
    return raster


def _read_jxl(data: bytes, name: str) -> Raster:
    header = jxl_header(data)
    if header.inks:
        raise UnsupportedKindError("JPEG XL in CMYK, which vitiq cannot decode; convert it to sRGB and save it as PNG")
    if header.animated:
        raise UnsupportedKindError(
            "an animated JPEG XL, of which vitiq can decode the last frame only; save the frame you mean as PNG"
        )
    if header.transfer is not None:
        colour_space.from_code_points(1, header.transfer)  # which refuses PQ and HLG; libjxl's profile says the rest
    raster = _through_pillow("JXL")(data, name)
    if header.premultiplied and raster.samples.dtype == np.uint8:
        divide_out(raster)
    if header.floating:
        raster.notes.append(FLOATS_CUT)
    if header.bits > 8 and raster.samples.dtype == np.uint8:
        raster.cut_from = header.bits
        raster.notes.append(depth_note(header.bits))
    raster.turned = header.orientation
    return raster


def _read_jpeg2000(data: bytes, name: str) -> Raster:
    header = jp2_header(data)
    check_pixels(*header.size, name)
    better = jpeg2000_tiles.mended(data)
    raster = _decoded_jpeg2000(better or data, header, name)
    if better is not None:
        raster.notes.append(jpeg2000_tiles.MENDED)
    return raster


def _decoded_jpeg2000(data: bytes, header: Jp2Header, name: str) -> Raster:
    deepest = max(header.bits)
    if len(header.bits) > _JP2_MOST or (header.subsampled and len(header.bits) < 3):
        what = "subsampled grey" if len(header.bits) < 3 else f"{len(header.bits)} components"
        raise UnsupportedKindError(f"JPEG 2000 of {what}, which vitiq cannot decode; save it as PNG")
    if header.uneven and deepest <= 8:  # Pillow takes too few of its samples for a row, and all lie askew
        raise UnsupportedKindError(
            "JPEG 2000 with subsampled colour and a size that is no multiple of it, which vitiq cannot decode; "
            "save it as PNG"
        )
    if deepest > 16 or len(set(header.bits)) > 1:
        raise InputError(
            f"{name}: JPEG 2000 with components of {', '.join(map(str, header.bits))} bits; "
            "save it as a PNG of 8 or 16 bits"
        )
    if header.space not in _JP2_SPACES and header.profile is None:
        raise InputError(
            f"{name}: JPEG 2000 in the colour space number {header.space}, which vitiq cannot convert; "
            "convert it to sRGB and save it as PNG"
        )
    if header.cinema and header.space is None and header.profile is None and len(header.bits) == 3:
        raise InputError(
            f"{name}: JPEG 2000 of digital cinema, in X'Y'Z', which vitiq cannot convert; "
            "convert it to sRGB and save it as PNG"
        )
    if header.palette and len(header.bits) == 1:
        return _jpeg2000_by_palette(data, header.profile, name)
    wanted = order(header)
    if deepest > 8 and len(header.bits) > 1:
        if wanted:
            raise InputError(
                f"{name}: JPEG 2000 colour of {deepest} bits with channels in an order of its own; "
                "convert it to a 16-bit PNG or TIFF"
            )
        raster = read_deep_colour(data, header, name)
        raster.profile = header.profile
        return raster
    raster = _through_pillow("JPEG2000")(as_rgb(data) if wanted else data, name)
    if wanted:
        arrange(raster, header, wanted)
    if deepest not in {8, 16}:  # Pillow shifts; white is to be white
        depth = 8 if deepest < 8 else 16
        raster.samples = stretch(raster.samples >> (depth - deepest), deepest)
        raster.notes = [depth_note(deepest) if note == depth_note(16) else note for note in raster.notes]
    raster.profile = raster.profile or header.profile
    return raster


def _jpeg2000_by_palette(data: bytes, profile: bytes | None, name: str) -> Raster:
    with Image.open(io.BytesIO(data), formats=["JPEG2000"]) as image:
        check_pixels(*image.size, name)
        indices = np.asarray(image)
    if indices.ndim != 2 or indices.dtype != np.uint8:
        raise UnsupportedKindError("JPEG 2000 with a palette of this kind, which vitiq cannot decode; save it as PNG")
    colour, alpha = by_palette(indices, data)
    return Raster(colour, "rgb", alpha, profile=profile)


def _read_gif(data: bytes, name: str) -> Raster:
    raster = _through_pillow("GIF")(data, name)
    raster.profile = gif_profile(data)
    left, top, wide, high = gif_first_frame(data)
    covered = np.zeros(raster.samples.shape[:2], np.uint8)
    covered[top : top + high, left : left + wide] = 255
    if not covered.all():  # Pillow makes it black; elsewhere what no frame covers is transparent
        raster.alpha = covered if raster.alpha is None else np.minimum(raster.alpha, covered)
    return raster


def _need_jxl(name: str) -> None:
    try:
        import pillow_jxl  # noqa: F401, PLC0415 - optional
    except ImportError as error:
        raise InputError(f"{name}: JPEG XL is read by an optional package; run: pip install 'vitiq[jxl]'") from error


_READERS: dict[str, Callable[[bytes, str], Raster]] = {
    "PNG": read_png,
    "JPEG": read_jpeg,
    "TIFF": read_tiff,
    "PPM": read_pnm,
    "AVIF": _read_avif,
    "JXL": _read_jxl,
    "JPEG2000": _read_jpeg2000,
    "BMP": read_bmp,
    "GIF": _read_gif,
    "TGA": read_tga,
}
