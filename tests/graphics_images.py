"""Images with graphics, drawn: what tests of the layer of graphics share."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vitiq.types import ImageU8

LINES = ("Image codecs", "0.08 bit/pixel", "edges + text", "42.7 dB")


def text_page(height: int, width: int, size: int = 14) -> ImageU8:
    """Antialiased text of three colours on a light ground, with a line and a box."""
    page = Image.new("RGB", (width, height), (247, 247, 242))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    draw.rectangle((3, 3, width // 3, 9), fill=(38, 96, 164))
    for index, top in enumerate(range(12, max(13, height - size), size + 6)):
        colour = ((28, 30, 36), (170, 30, 20), (20, 110, 60))[index % 3]
        draw.text((5 + 7 * (index % 4), top), LINES[index % len(LINES)] * (1 + width // 120), colour, font)
        draw.line((0, top + size + 3, width, top + size + 3), (205, 208, 214))
    return np.array(page)


def captioned(photograph: ImageU8) -> ImageU8:
    """A photograph above a caption of as many rows of text."""
    height, width, _ = photograph.shape
    return np.concatenate([photograph, text_page(height, width)])
