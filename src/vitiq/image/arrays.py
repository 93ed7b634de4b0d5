"""What people hold in their hands, to `ImageU8`: paths, Pillow images, NumPy arrays, torch tensors.

Taken are

    a path (str, os.PathLike)     an image file, read as every command reads it
    a Pillow image                of any mode; its profile and EXIF orientation are applied
    NumPy uint8                   H×W×3; H×W×4 laid on white; H×W and H×W×1, grey, repeated
    NumPy or torch floating point in [0, 1]: H×W×C, C×H×W or N×C×H×W with C = 3, 4 or 1, or H×W; times 255, rounded

and a list or tuple of these is a batch, as N×C×H×W is. Everything else is an InputError that says what was given and
what to do: nothing is guessed. What changed an image is a note.
"""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from vitiq.errors import InputError, first_line
from vitiq.image.io import decode_image, read_image_details
from vitiq.image.limits import address
from vitiq.image.raster import Raster
from vitiq.image.read import to_image as eight_bit_srgb
from vitiq.types import ImageU8

CHANNELS = {1, 3, 4}
"""Grey, RGB and RGB with transparency."""
ROUNDED = "floating point rounded to 8 bits"
EXPECTED = "a path, a Pillow image, uint8 H×W×3, or floating point in [0, 1] as H×W×3, 3×H×W or N×3×H×W"
SLACK = 0.01
"""Distance from a level of 8 bits, in levels, above which rounding is noted."""
SLACK_16 = 0.07
"""The same for float16, whose k/255 lie off by up to 0.063."""
ROUNDING = 1e-3
"""How far beyond 0 or 1 the rounding of a filter, a resize or a network leaves values."""
Reader = Callable[[Path], tuple[ImageU8, Sequence[str]]]
"""What makes an image of a file, with notes of what that changed."""
WHITES = (255, 1023, 4095, 65535)


@dataclass(frozen=True, slots=True)
class Taken:
    """Images that were given, and how.

    Attributes:
        images: one, or those of a batch.
        notes: of each image, what was changed to fit it into 8-bit sRGB.
        batch: whether several may stand in what was given.
    """

    images: list[ImageU8]
    notes: list[tuple[str, ...]]
    batch: bool


def to_image(given: object, name: str = "image", read: Reader = read_image_details) -> tuple[ImageU8, list[str]]:
    """One image, and a note for everything that was changed to fit it into 8-bit sRGB.

    Args:
        given: in one of the forms above; a batch of one image counts as that image.
        name: what it is called in messages.
        read: what reads a file.

    Raises:
        InputError: none of the forms, several images, or a file that cannot be read.

    Example:
        >>> import numpy as np
        >>> image, notes = to_image(np.full((2, 4), 0.5))
        >>> image.shape, int(image[0, 0, 0]), notes
        ((2, 4, 3), 128, ['floating point rounded to 8 bits', 'grey repeated in three channels'])
    """
    taken = to_images(given, name, read)
    if len(taken.images) != 1:
        raise InputError(f"{name}: a batch of {len(taken.images)} images given, one expected; give them one by one")
    return taken.images[0], list(taken.notes[0])


def to_images(given: object, name: str = "image", read: Reader = read_image_details) -> Taken:
    """One image or a batch of them.

    Args:
        given: in one of the forms above.
        name: what it is called in messages.
        read: what reads a file.

    Raises:
        InputError: none of the forms, no image, or a file that cannot be read.
    """
    if isinstance(given, list | tuple):
        if not given:
            raise InputError(f"{name}: an empty {type(given).__name__} given, {EXPECTED} expected")
        if not all(isinstance(one, str | os.PathLike | Image.Image | np.ndarray) or _is_tensor(one) for one in given):
            kinds = ", ".join(sorted({f"{type(one).__name__}{_decoded(one)}" for one in given}))
            raise InputError(f"{name}: a {type(given).__name__} of {kinds} given, one of images expected ({EXPECTED})")
        pairs = [to_image(one, f"{name} {number}", read) for number, one in enumerate(given)]
        return Taken([image for image, _ in pairs], [tuple(notes) for _, notes in pairs], batch=True)
    if isinstance(given, str | os.PathLike):
        image, notes = read(_path(given, name))
        return Taken([image], [tuple(notes)], batch=False)
    if isinstance(given, Image.Image):
        image, notes = _from_pillow(given, name)
        return Taken([image], [tuple(notes)], batch=False)
    if _is_tensor(given):
        return _from_floats(_of_tensor(given, name), name)
    if isinstance(given, np.ma.MaskedArray):
        raise InputError(f"{name}: a masked array given; give array.filled(...)")
    if isinstance(given, np.ndarray):
        given = np.asarray(given)  # a subclass may index by rules of its own, as numpy.matrix does
        if given.dtype == np.uint8:
            image, notes = _from_bytes(given, name)
            return Taken([image], [tuple(notes)], batch=False)
        if np.issubdtype(given.dtype, np.floating):
            return _from_floats(given, name)
        raise InputError(f"{name}: {_of_kind(given.dtype, given.shape)}; {_instead(given.dtype)}")
    raise InputError(f"{name}: {_described(given)} given, {EXPECTED} expected")


def own(image: ImageU8, given: object = None) -> ImageU8:
    """The image in memory that nobody else holds and that can be written to: itself where it is that already.

    Args:
        given: what it was made of.
    """
    shared = isinstance(given, np.ndarray) and np.may_share_memory(image, given)
    return image.copy() if shared or not image.flags.writeable else image


def _is_tensor(given: object) -> bool:
    """Whether it is a torch tensor; torch is not imported for the answer."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.Tensor)


def _path(given: str | os.PathLike[Any], name: str) -> Path:
    text = os.fspath(given)
    if not isinstance(text, str):
        raise InputError(f"{name}: a path of bytes given, of text expected; give os.fsdecode(path)")
    if not text:
        raise InputError(f"{name}: an empty path given; name an image file")
    if said := address(text):
        raise InputError(f"{name}: {said}")
    return Path(given)


def _of_tensor(given: Any, name: str) -> Float[np.ndarray, "*shape"]:
    kind = str(given.dtype).removeprefix("torch.")
    if given.is_nested or given.is_sparse or "sparse" in str(given.layout):
        fix = "give tensor.unbind() as a list" if given.is_nested else "give tensor.to_dense()"
        raise InputError(f"{name}: a {'nested' if given.is_nested else 'sparse'} tensor given; {fix}")
    if given.is_meta:
        raise InputError(f"{name}: a tensor on the device 'meta' given, which holds no values")
    if not given.dtype.is_floating_point:
        if kind == "uint8":
            raise InputError(
                f"{name}: a tensor of {_shape(given.shape)} and uint8 given, tensors of floating point in [0, 1] "
                "expected; divide it by 255, or give H×W×3 as a NumPy array"
            )
        raise InputError(f"{name}: a tensor of {_shape(given.shape)} and {kind} given; {_instead(kind)}")
    detached = given.detach().cpu().resolve_conj().resolve_neg()  # of views that NumPy has no form of
    values: np.ndarray = (detached if kind in {"float16", "float32", "float64"} else detached.float()).numpy()
    return values


def _from_bytes(given: UInt8[np.ndarray, "*shape"], name: str) -> tuple[ImageU8, list[str]]:
    shape = given.shape
    first, last = (shape[0] in CHANNELS, shape[2] in CHANNELS) if len(shape) == 3 else (False, False)
    if 0 in shape or not (len(shape) == 2 or last) or (first and last and shape[0] != 1):
        what = f"{name}: a uint8 array of {_shape(shape)} given, H×W×3 expected"
        if len(shape) == 3 and first and last and 0 not in shape:
            raise InputError(f"{what}: the channels could be first or last; give a Pillow image")
        if len(shape) == 3 and first:
            raise InputError(f"{what}; channels stand first here: give array.transpose(1, 2, 0)")
        if len(shape) == 4:
            listed = "list(array)" if shape[3] in CHANNELS else "list(array.transpose(0, 2, 3, 1))"
            if 0 in shape or (shape[1] in CHANNELS) == (shape[3] in CHANNELS):
                listed = "each H×W×3"
            raise InputError(f"{what}; give a list of images for a batch: {listed}")
        raise InputError(what)
    return _coloured(given if len(shape) == 3 else given[:, :, None], [])


def _from_floats(given: Float[np.ndarray, "*shape"], name: str) -> Taken:
    shape = given.shape
    first, last = _channel_axes(shape)
    if 0 in shape or not (len(shape) == 2 or first or (last and len(shape) == 3)) or (first and last):
        what = f"{name}: floating point of {_shape(shape)} given, H×W×3, 3×H×W or N×3×H×W expected"
        if first and last and 0 not in shape:
            several = "a list of Pillow images" if len(shape) == 4 else "a Pillow image"
            raise InputError(f"{what}: the channels could be first or last; give {several}")
        if len(shape) == 4 and last:
            raise InputError(f"{what}; channels stand last here: give array.transpose(0, 3, 1, 2)")
        raise InputError(what)
    levels, notes = _levels(given, name)
    if len(shape) == 2:
        stack = levels[None, :, :, None]
    elif len(shape) == 3:
        stack = (levels.transpose(1, 2, 0) if first else levels)[None]
    else:
        stack = levels.transpose(0, 2, 3, 1)
    found = [_coloured(one, list(notes)) for one in stack]
    return Taken([image for image, _ in found], [tuple(said) for _, said in found], batch=len(shape) == 4)


def _channel_axes(shape: Sequence[int]) -> tuple[bool, bool]:
    """Whether the channels can stand before the rows, and whether after the columns."""
    if len(shape) not in {3, 4}:
        return False, False
    return shape[-3] in CHANNELS, shape[-1] in CHANNELS


def _levels(given: Float[np.ndarray, "*shape"], name: str) -> tuple[UInt8[np.ndarray, "*shape"], list[str]]:
    """Times 255, rounded to the nearest level."""
    low, high = float(given.min()), float(given.max())
    if not 0 <= low <= high <= 1:
        if not np.isfinite(given).all():
            raise InputError(
                f"{name}: floating point with NaN or infinite values given, finite ones in [0, 1] expected"
            )
        given_as = f"floating point from {low:.9g} to {high:.9g} given"
        raise InputError(f"{name}: {given_as}, values in [0, 1] expected; {_scaled(low, high)}")
    levels, off = np.empty_like(given, np.uint8), 0.0
    for part in _parts(given.shape):
        exact = given[part].astype(np.float64) * 255
        nearest = np.rint(exact)
        levels[part] = nearest
        off = max(off, float(np.abs(exact - nearest).max()))
    limit = SLACK_16 if given.dtype == np.float16 else SLACK
    return levels, [ROUNDED] if off > limit else []


def _parts(shape: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Parts of about a million values, cut across the longest axis: float64 of the whole is eight times the result."""
    longest = max(shape)
    axis, step = shape.index(longest), max(1, 2**20 * longest // math.prod(shape))
    return ((*[slice(None)] * axis, slice(first, first + step)) for first in range(0, longest, step))


def _scaled(low: float, high: float) -> str:
    """What brings values of this range into [0, 1], where it can be read from the range."""
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return "clip it, as rounding has left it"
    if low >= 0 and 2 < high <= 65535:
        return f"divide it by {next(white for white in WHITES if high <= white)} if that is its white"
    if low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        return "give (array + 1) / 2 if -1 is its black, else scale or clip it"
    return "scale or clip it"


def _coloured(image: UInt8[np.ndarray, "h w c"], notes: list[str]) -> tuple[ImageU8, list[str]]:
    """Three channels: grey repeated, transparency laid on white, as a file of the same pixels is read."""
    grey, alpha = image.shape[2] == 1, image.shape[2] == 4
    raster = Raster(image[:, :, :3], "grey" if grey else "rgb", image[:, :, 3] if alpha else None)
    return eight_bit_srgb(raster), [*notes, *raster.notes]


def _from_pillow(image: Image.Image, name: str) -> tuple[ImageU8, list[str]]:
    """As a file of the same pixels, profile and orientation is read."""
    if 0 in image.size:
        raise InputError(f"{name}: a Pillow image of {image.width}×{image.height} pixels given, at least 1×1 expected")
    cut = [_CUT] if _narrowed(image) else []
    try:
        image.load()
    except Exception as error:  # Pillow reads late: a file that is closed or cut short shows here
        raise InputError(
            f"{name}: a Pillow image whose pixels cannot be read given ({first_line(error)}); "
            "keep its file open until they are read, or give the file's path"
        ) from error
    if image.mode == "I":
        raise InputError(
            f"{name}: a Pillow image of mode I given, whole numbers whose white is not stated; convert it with "
            ".convert('L') if that is 255, with .convert('I;16') if it is 65535"
        )
    profile, exif = image.info.get("icc_profile"), image.getexif()
    if image.mode == "RGB" and not profile and "transparency" not in image.info and exif.get(0x0112, 1) == 1:
        return np.ascontiguousarray(image, dtype=np.uint8), cut
    kept: dict[str, Any] = {"icc_profile": profile} if profile else {}
    form = "PNG" if image.mode in {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"} else "TIFF"
    if form == "PNG":
        kept |= {"exif": exif.tobytes(), "compress_level": 0}
    elif exif.get(0x0112, 1) != 1:
        kept |= {"tiffinfo": {0x0112: exif[0x0112]}}
    buffer = io.BytesIO()
    try:
        image.save(buffer, form, **kept)
    except (OSError, ValueError, KeyError) as error:
        fix = {"RGBa": "RGBA", "La": "LA"}.get(image.mode, "RGB")
        raise InputError(
            f"{name}: a Pillow image of mode {image.mode} given; convert it with .convert({fix!r})"
        ) from error
    pixels, notes = decode_image(buffer.getvalue(), name)
    return pixels, [*cut, *notes]


_CUT = "16-bit colour cut to 8 bits by Pillow (vitiq rounds that of a path)"


def _narrowed(image: Image.Image) -> bool:
    """Whether Pillow keeps only the high bytes of a file; known until it has read the pixels."""
    if image.mode not in {"RGB", "RGBA", "LA"}:
        return False
    arguments = [part[3] for part in getattr(image, "tile", ())]
    raw = [one[0] if isinstance(one, tuple) and one else one for one in arguments]
    return any(isinstance(mode, str) and ";16" in mode for mode in raw)


def _of_kind(dtype: np.dtype[Any], shape: Sequence[int]) -> str:
    return f"an array of {_shape(shape)} and {dtype} given"


def _instead(dtype: object) -> str:
    """What to do about numbers of a kind that is not taken."""
    kind = dtype.newbyteorder("=").name if isinstance(dtype, np.dtype) else str(dtype)
    if kind == "bool":
        return "give uint8: array.astype('uint8') * 255"
    if kind == "uint16":
        return "give array / 65535 as floating point, or uint8 if it holds 8-bit levels"
    if kind.startswith(("int", "uint")):
        return "levels of 0 … 255 are uint8: give array.astype('uint8') if that is what they are"
    return "give uint8 H×W×3, or floating point in [0, 1]"


def _described(given: object) -> str:
    if given is None:
        return "None"
    if isinstance(given, bytes | bytearray | memoryview):
        return f"{memoryview(given).nbytes} bytes (give Image.open(io.BytesIO(data)) for an image file's)"
    kind = type(given)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if fix := _decoded(given):
        return kind.__name__ + fix
    if hasattr(given, "__array__") and not isinstance(given, np.generic):
        return f"{name} (give numpy.asarray(...) of it)"
    if hasattr(given, "read"):
        return f"{kind.__name__} (give PIL.Image.open(...) of it)"
    several = isinstance(given, Iterable) and not isinstance(given, Set | Mapping)
    return f"{name} (give the images that it yields as a list: list(...) of it)" if several else name


def _decoded(given: object) -> str:
    """What to do about a compressed image, as `vitiq.encode` gives it; "" for anything else."""
    compressed = hasattr(given, "decode") and hasattr(given, "bpp")
    return " (give its .decode())" if compressed else ""


def _shape(shape: Sequence[int]) -> str:
    return f"shape {'×'.join(str(side) for side in shape)}" if len(shape) else "no shape"


__all__ = ["EXPECTED", "Taken", "own", "to_image", "to_images"]
