"""Resizing, cropping and patches."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from vitiq.errors import InputError
from vitiq.types import ImageU8

Filter = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]


def resize(image: ImageU8, width: int, height: int, filter: Filter = "lanczos") -> ImageU8:
    """The whole image at another size, antialiased when downscaled.

    Pillow resamples 8-bit images in fixed point, so the result is the same on any machine.

    Raises:
        InputError: a side below 1.
    """
    if width < 1 or height < 1:
        raise InputError(f"size {width}×{height} given, sides of at least 1 expected")
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling[filter.upper()])
    return np.ascontiguousarray(resized, dtype=np.uint8)


def patches(image: ImageU8, size: int, stride: int) -> list[ImageU8]:
    """Square patches row by row; none where the image is smaller than a patch."""
    height, width, _ = image.shape
    return [
        np.ascontiguousarray(image[top : top + size, left : left + size])
        for top in range(0, height - size + 1, stride)
        for left in range(0, width - size + 1, stride)
    ]
