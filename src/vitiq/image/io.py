"""Image files to `ImageU8` and back: the names other packages import. Reading is `read`, folders are `folders`."""

from __future__ import annotations

import io
import secrets
from pathlib import Path

from PIL import Image

from vitiq.errors import InputError
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
    "pairing_key",
    "read_image",
    "read_image_details",
    "write_bytes",
    "write_png",
]


def write_png(path: Path, image: ImageU8) -> None:
    """Write a PNG atomically.

    Raises:
        InputError: the folder cannot be written to.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=6)
    write_bytes(path, buffer.getvalue())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all (a temporary file beside it, then a rename); makes its folder.

    Raises:
        InputError: the folder cannot be written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The name comes before the file, so that there is no moment at which Ctrl-C could leave one that is not known.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("xb") as file:
                file.write(data)
            temporary.replace(path)
        except BaseException:  # Ctrl-C too leaves nothing behind
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another output") from error
