"""Image files to `ImageU8` and back: the names other packages import. Reading is `read`, folders are `folders`."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from vitiq import files
from vitiq.image.folders import FoundImage, FoundImages, find_images, pairing_key
from vitiq.image.limits import MAX_PIXELS
from vitiq.image.read import decode_image, read_image, read_image_details
from vitiq.types import ImageU8

__all__ = [
    "MAX_PIXELS",
    "FoundImage",
    "FoundImages",
    "decode_image",
    "find_images",
    "named_as_image",
    "pairing_key",
    "png_bytes",
    "read_image",
    "read_image_details",
    "write_png",
]


def named_as_image(path: Path) -> bool:
    """Whether a name ends as that of an image of any format that Pillow knows.

    Example:
        >>> named_as_image(Path("map.JPG")), named_as_image(Path("maps"))
        (True, False)
    """
    return path.suffix.lower() in Image.registered_extensions()


def png_bytes(image: ImageU8, level: int = 6) -> bytes:
    """A PNG.

    Args:
        level: of the compression, 0 (none) to 9.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def write_png(path: Path, image: ImageU8) -> None:
    """Write a PNG atomically.

    Raises:
        InputError: the folder cannot be written to.
    """
    files.write_bytes(path, png_bytes(image))
