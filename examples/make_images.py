"""Make the four bundled images from freely licensed sources that packages ship, and one drawn here.

    pip install scikit-image==0.26.0 scikit-learn==1.9.1 pillow==13.0.0
    python examples/make_images.py

Sources, authors and licences are in examples/images/README.md.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 512
FOLDER = Path(__file__).parent / "images"


def portrait() -> Image.Image:
    """Eileen Collins (NASA), 512×512 as scikit-image ships it."""
    from skimage import data

    return Image.fromarray(data.astronaut())


def animal() -> Image.Image:
    """Chelsea the cat, 300×300 of 451×300, enlarged."""
    from skimage import data

    image = Image.fromarray(data.chelsea()).crop((75, 0, 375, 300))
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def building() -> Image.Image:
    """A hall of the Summer Palace, 427×427 of 640×427, enlarged."""
    from sklearn.datasets import load_sample_image

    image = Image.fromarray(load_sample_image("china.jpg")).crop((60, 0, 487, 427))
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def graphic() -> Image.Image:
    """A mark of our own on white: an eye whose iris is a grid of patches, over the word vitiq in drawn strokes."""
    scale = 4
    big = SIDE * scale
    image = Image.new("RGB", (big, big), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    navy, teal, orange = (22, 38, 74), (24, 140, 140), (240, 132, 36)

    def box(x: float, y: float, r: float) -> tuple[float, float, float, float]:
        return ((x - r) * scale, (y - r) * scale, (x + r) * scale, (y + r) * scale)

    lens = []
    for sign in (-1, 1):
        for t in np.linspace(0, 1, 80):
            x = 56 + 400 * (t if sign < 0 else 1 - t)
            lens.append((x * scale, (196 + sign * 118 * math.sin(math.pi * (x - 56) / 400)) * scale))
    draw.polygon(lens, fill=navy)
    draw.ellipse(box(256, 196, 104), fill=(255, 255, 255))
    draw.ellipse(box(256, 196, 92), fill=teal)
    for row in range(3):
        for column in range(3):
            x, y = 256 + 38 * (column - 1), 196 + 38 * (row - 1)
            colour = orange if (row, column) == (1, 1) else (255, 255, 255)
            draw.rounded_rectangle(
                ((x - 15) * scale, (y - 15) * scale, (x + 15) * scale, (y + 15) * scale), 4 * scale, fill=colour
            )
    width = 16 * scale

    def stroke(*points: tuple[float, float]) -> None:
        scaled = [(x * scale, y * scale) for x, y in points]
        draw.line(scaled, fill=navy, width=width, joint="curve")
        for x, y in scaled:
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=navy)

    stroke((112, 366), (138, 432), (164, 366))
    stroke((200, 366), (200, 432))
    stroke((252, 340), (252, 432), (276, 432))
    stroke((232, 366), (276, 366))
    stroke((312, 366), (312, 432))
    for x in (200, 312):
        draw.ellipse(box(x, 338, 10), fill=orange)
    draw.ellipse(box(372, 399, 41), fill=navy)
    draw.ellipse(box(372, 399, 25), fill=(255, 255, 255))
    stroke((405, 366), (405, 462))
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


def main() -> None:
    """Write the images."""
    FOLDER.mkdir(exist_ok=True)
    for make in (portrait, animal, graphic, building):
        make().save(FOLDER / f"{make.__name__}.png", optimize=True)


if __name__ == "__main__":
    main()
