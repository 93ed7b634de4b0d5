"""What the readers of formats hand on: samples as the file has them, with the colour and turn it states."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import UInt, UInt8
from PIL import Image, ImageFile

from vitiq.image.colour_space import Tag
from vitiq.image.limits import MAX_FRAMES

Model = Literal["grey", "rgb", "cmyk", "lab"]


class UnsupportedKindError(ValueError):
    """A whole file of a kind that vitiq cannot decode; the text says what to do."""


@dataclass(slots=True)
class Raster:
    """One image, not yet sRGB.

    Attributes:
        samples: H×W×C, uint8 or uint16, the whole range used (0 is black, of CMYK no ink). Lab is 8-bit, as Pillow's.
        model: what the C channels are: 1 grey, 3 RGB or Lab, 4 CMYK.
        alpha: H×W of the samples' type; None where everything is opaque. Not premultiplied.
        profile: an ICC profile's bytes, which decide over `tag`.
        tag: colour stated otherwise (cICP, gAMA and cHRM, nclx).
        orientation: 1 … 8 as in EXIF: how the image is still to be turned.
        turned: the orientation the file stated, where whoever decoded it turned it already.
        cut_from: bits of the file's samples, where its decoder handed on 8 of more.
        notes: what was changed so far, one short line each.
    """

    samples: UInt[np.ndarray, "h w c"]
    model: Model
    alpha: UInt[np.ndarray, "h w"] | None = None
    profile: bytes | None = None
    tag: Tag | None = None
    orientation: int = 1
    turned: int = 1
    cut_from: int = 8
    notes: list[str] = field(default_factory=list)


def first_of(frames: int, what: str = "frames") -> str:
    """Note about the frames, pages or slices of a file, of which `MAX_FRAMES` are counted.

    Example:
        >>> first_of(3), first_of(MAX_FRAMES + 1)
        ('first of 3 frames', 'first of more than 10000 frames')
    """
    return f"first of {frames if frames <= MAX_FRAMES else f'more than {MAX_FRAMES}'} {what}"


NO_ALPHA = "alpha channel of zeros alone ignored"


def no_alpha(raster: Raster) -> None:
    """Leave out alpha that is zero throughout, with a note: programs that know of no alpha write it so.

    For formats in which the byte may have no meaning (BMP, TGA). Nothing would be seen of the image.
    """
    if raster.alpha is not None and not raster.alpha.any():
        raster.alpha = None
        raster.notes.append(NO_ALPHA)


def divide_out(raster: Raster) -> None:
    """Divide premultiplied alpha out of samples of 8 bits, rounded."""
    if raster.alpha is not None:
        cover = np.maximum(raster.alpha, 1)[:, :, None].astype(np.uint16)
        raster.samples = np.minimum((raster.samples * np.uint16(255) + cover // 2) // cover, 255).astype(np.uint8)


def lacking(count: int) -> str:
    """Note about pixels of colours that are not in the palette."""
    return f"{count} pixels of colours that the palette lacks, read as black"


def whole_rows(image: Image.Image) -> None:
    """Let Pillow take a row of pixels at once, before it loads them.

    It reads 64 KiB at a time and joins them until a row is whole: for a row of 16 million pixels that takes minutes.
    """
    if isinstance(image, ImageFile.ImageFile):
        image.decodermaxblock = max(image.decodermaxblock, 8 * image.width)


def from_pillow(image: Image.Image) -> Raster:
    """The samples of a decoded 8-bit image in any of Pillow's modes, and of a 16-bit grey one.

    Raises:
        ValueError: a mode that is none of these.
    """
    if image.mode in {"I;16", "I;16L", "I;16B", "I;16N"}:
        return Raster(np.asarray(image).astype(np.uint16)[:, :, None], "grey")
    image = _plain(image)
    values: UInt8[np.ndarray, "h w c"] = np.atleast_3d(np.asarray(image, np.uint8))
    model = _MODELS[image.mode.removesuffix("A")]
    if image.mode in {"LA", "RGBA"}:
        return Raster(values[:, :, :-1], model, values[:, :, -1])
    return Raster(values, model)


_MODELS: dict[str, Model] = {"L": "grey", "RGB": "rgb", "CMYK": "cmyk", "LAB": "lab"}
_PLAIN = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}


def _plain(image: Image.Image) -> Image.Image:
    """In one of the modes L, LA, RGB, RGBA, CMYK, LAB, with transparency as a channel."""
    if image.mode == "P":
        clear = "transparency" in image.info or getattr(image.palette, "mode", "RGB") == "RGBA"
        return image.convert("RGBA" if clear else "RGB")
    image = image.convert(_PLAIN[image.mode]) if image.mode in _PLAIN else image
    if "transparency" in image.info and image.mode in {"L", "RGB"}:
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    if image.mode not in {"L", "LA", "RGB", "RGBA", "CMYK", "LAB"}:
        raise ValueError(f"samples of the kind {image.mode}")
    return image
