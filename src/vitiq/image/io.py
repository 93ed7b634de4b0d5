"""FoundImage files to `ImageU8` and back.

Policy: the first frame of an animation; EXIF orientation applied; an embedded ICC profile converted to sRGB;
transparency laid on white; grey repeated; 16 bits brought to 8 (grey is rounded, colour loses its low byte, as Pillow
reads it). Each of these is told as a note. Anything that cannot be read whole is an InputError that names the file.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from vitiq import files
from vitiq.errors import InputError, first_line
from vitiq.types import ImageU8

MAX_PIXELS = 2 * 89_478_485
"""Larger images are refused before they are decoded (a bomb, or a job for tiles): Pillow's own limit."""

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jp2", ".j2k", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm"}
)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image file and the name it has in results (its path below the folder given, or its file name)."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class FoundImages:
    """Images found, and one line for each thing that is none."""

    images: list[FoundImage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_image(path: Path) -> ImageU8:
    """The image in a file; raises as `read_image_details`."""
    return read_image_details(path)[0]


def read_image_details(path: Path) -> tuple[ImageU8, list[str]]:
    """The image in a file, and a note for everything that was changed to fit it into 8-bit sRGB.

    Raises:
        InputError: missing, empty, no image, truncated, too large, or unreadable.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, an image file is expected")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> tuple[ImageU8, list[str]]:
    """As `read_image_details`, from bytes; `name` stands in messages."""
    if not data:
        raise InputError(f"{name}: the file is empty; an image is expected")
    try:
        with warnings.catch_warnings():
            # Our own limit decides, and broken metadata must not stop a good image.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                _check_size(image.size, name)
                notes = _frame_note(image) + _deep_note(image)
                image.load()
                return _to_u8(image, notes), notes
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            f"{name}: not an image in a format vitiq reads (starts with {data[:8]!r}); "
            f"give PNG, JPEG, WebP, AVIF, TIFF, BMP, GIF, JPEG 2000 or PPM"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(name, "".join(re.findall(r"\d+ pixels(?=\))", str(error))))) from error
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{name}: the image is truncated or damaged ({first_line(error)}); get the file again"
        ) from error


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS or width < 1 or height < 1:
        raise InputError(_too_large(name, f"{width}×{height} pixels"))


def _too_large(name: str, size: str) -> str:
    return f"{name}: {size} given, at most {MAX_PIXELS} are read; shrink it or cut it into tiles"


def _frame_note(image: Image.Image) -> list[str]:
    frames = int(getattr(image, "n_frames", 1))
    return [f"first of {frames} frames"] if frames > 1 else []


def _deep_note(image: Image.Image) -> list[str]:
    """Told before decoding: afterwards Pillow no longer says that colours had 16 bits."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    raw = [part.args if isinstance(part.args, str) else str(part.args[0]) for part in tiles if part.args]
    deep = any(mode.startswith(("RGB", "LA")) and ";16" in mode for mode in raw)
    return ["16 bits a colour cut to 8"] if deep else []


def _to_u8(image: Image.Image, notes: list[str]) -> ImageU8:
    profile = image.info.get("icc_profile")
    rotated = ImageOps.exif_transpose(image)
    if rotated.size != image.size or image.getexif().get(0x0112, 1) != 1:
        notes.append("turned by its EXIF orientation")
    image = rotated
    if image.mode in ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F"):
        notes.append("grey repeated in three channels")
    if image.mode.startswith(("I", "F")):
        return _from_deep(image, notes)
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif "transparency" in image.info and image.mode in ("L", "RGB"):
        image = image.convert("RGBA")
    if image.mode == "CMYK":
        notes.append("CMYK converted to RGB")
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") else None
    image = _to_srgb(image, profile, notes)
    if alpha is not None:
        if alpha.getextrema() != (255, 255):
            notes.append("transparency laid on white")
        ground = Image.new("RGB", image.size, (255, 255, 255))
        ground.paste(image, mask=alpha)
        image = ground
    return np.ascontiguousarray(image, dtype=np.uint8)


def _from_deep(image: Image.Image, notes: list[str]) -> ImageU8:
    values = np.asarray(image, dtype=np.float64)
    if image.mode.startswith("F") and float(np.nanmax(values, initial=0)) <= 1:
        values = values * 65_535
        notes.append("floating point scaled from 0 … 1 to 8 bits")
    else:
        notes.append("16 bits rounded to 8")
    grey = np.clip(np.rint(np.nan_to_num(values) / 257), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))


def _to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    colour = image.convert("L") if image.mode in ("LA", "La") else image
    colour = colour.convert("RGB") if colour.mode in ("RGBA", "RGBa", "PA") else colour
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            described = ImageCms.getProfileDescription(source).strip()
            if "srgb" not in described.lower():
                converted = ImageCms.profileToProfile(colour, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
                if converted is not None:
                    notes.append(f"converted from the profile {described!r} to sRGB")
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append("unusable ICC profile ignored")
    return colour.convert("RGB")


def write_png(path: Path, image: ImageU8) -> None:
    """Write a PNG atomically.

    Raises:
        InputError: the folder cannot be written to.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=6)
    write_bytes(path, buffer.getvalue())


def write_bytes(path: Path, data: bytes) -> None:
    """As `vitiq.files.write_bytes`."""
    files.write_bytes(path, data)


def find_images(paths: Sequence[Path]) -> FoundImages:
    """Images of files and folders (walked in sorted order); what is broken becomes a problem, not a stop.

    In a folder, files of other kinds are passed over; a file named outright is kept whatever its suffix.
    """
    found = FoundImages()
    taken: set[str] = set()
    for path in map(Path, paths):
        for image in _candidates(path, found.problems):
            name = image.name
            count = 2
            while name in taken:
                base = Path(image.name)
                name = base.with_name(f"{base.stem}-{count}{base.suffix}").as_posix()
                count += 1
            taken.add(name)
            found.images.append(FoundImage(image.path, name))
    return found


def _candidates(path: Path, problems: list[str]) -> Iterable[FoundImage]:
    if path.is_dir():
        inside = [p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix.lower() in SUFFIXES]
        if not inside:
            problems.append(f"{path}: no images in this folder; expected {', '.join(sorted(SUFFIXES))}")
        for file in inside:
            yield FoundImage(file, file.relative_to(path).as_posix())
    elif path.exists():
        yield FoundImage(path, path.name)
    else:
        problems.append(f"{path}: no such file or folder; check the path")
