"""Drawn graphics and screenshots of 768×512 pixels, the same on every machine: `python benchmarks/drawn.py FOLDER`.

For comparisons on what photographs lack: text, flat colours, thin lines, gradients. Fonts are Pillow's own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = (768, 512)
TEXT = (
    "An image codec turns pixels into few bytes and back again. What is lost on the way can be counted in decibels, "
    "asked of people, or read by a network that was trained to name what it sees. None of the three answers the "
    "question of another."
)
INK, PAPER, LINES = (28, 30, 36), (250, 250, 247), (205, 208, 214)
COLOURS = ((38, 96, 164), (217, 95, 2), (27, 158, 119), (117, 112, 179), (231, 41, 138), (102, 166, 30))


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def wrapped(draw: ImageDraw.ImageDraw, text: str, at: tuple[int, int], width: int, size: int) -> int:
    """Write a paragraph; the height at which it ends."""
    used, (left, top) = font(size), at
    line = ""
    for word in [*text.split(), ""]:
        longer = f"{line} {word}".strip()
        if line and (not word or draw.textlength(longer, used) > width):
            draw.text((left, top), line, INK, used)
            top, line = top + round(1.4 * size), word
        else:
            line = longer
    return top


def page(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Two columns of text under a title."""
    draw.text((40, 24), "What is lost", INK, font(34))
    for column in range(2):
        top = 84
        while top < SIZE[1] - 90:
            size = int(rng.integers(12, 17))
            top = wrapped(draw, TEXT, (40 + 356 * column, top), 330, size) + 10


def bars(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """A bar chart with a grid and labels."""
    for y in range(60, 461, 50):
        draw.line((70, y, 740, y), LINES)
        draw.text((30, y - 8), f"{(460 - y) // 4}", INK, font(14))
    for k in range(14):
        top = int(rng.integers(80, 440))
        draw.rectangle((84 + 47 * k, top, 116 + 47 * k, 460), COLOURS[k % 6])
        draw.text((84 + 47 * k, 470), f"q{5 * k}", INK, font(14))
    draw.text((70, 16), "Bits per pixel by setting", INK, font(22))


def curves(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Thin curves with a legend."""
    draw.rectangle((60, 40, 730, 460), outline=INK)
    for k, colour in enumerate(COLOURS):
        x = np.linspace(0, 1, 60)
        y = (0.15 + 0.1 * k + 0.5 * np.log1p(x * rng.uniform(2, 9)) / np.log(10)).clip(0, 1)
        draw.line([(60 + 670 * a, 460 - 400 * b) for a, b in zip(x, y, strict=True)], colour, 2)
        draw.line((560, 300 + 24 * k, 600, 300 + 24 * k), colour, 2)
        draw.text((610, 291 + 24 * k), f"codec {k + 1}", INK, font(15))


def window(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """A program's window: a bar of buttons, a list, a panel of code."""
    draw.rectangle((0, 0, 768, 44), (52, 58, 70))
    for k, name in enumerate(("File", "Edit", "View", "Run", "Help")):
        draw.rounded_rectangle((12 + 84 * k, 9, 84 + 84 * k, 35), 6, (76, 84, 100))
        draw.text((26 + 84 * k, 12), name, (240, 240, 240), font(16))
    draw.rectangle((0, 44, 200, 512), (235, 237, 241))
    for k in range(17):
        draw.ellipse((14, 60 + 26 * k, 26, 72 + 26 * k), COLOURS[int(rng.integers(6))])
        draw.text((36, 57 + 26 * k), f"image-{int(rng.integers(1000)):03}.png", INK, font(14))
    for k in range(22):
        indent = 20 * int(rng.integers(0, 4))
        words = " ".join(rng.choice(TEXT.split(), 5))
        draw.text((220 + indent, 58 + 20 * k), words, COLOURS[int(rng.integers(6))], font(14))


def icons(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Flat shapes in saturated colours."""
    for k in range(24):
        x, y = 24 + 124 * (k % 6), 16 + 124 * (k // 6)
        first, second = rng.choice(6, 2, replace=False)
        draw.rounded_rectangle((x, y, x + 100, y + 100), 22, COLOURS[first])
        shape = (x + 24, y + 24, x + 76, y + 76)
        if k % 3 == 0:
            draw.ellipse(shape, COLOURS[second], PAPER, 4)
        elif k % 3 == 1:
            draw.regular_polygon((x + 50, y + 50, 34), 3 + k % 5, fill=COLOURS[second])
        else:
            draw.pieslice(shape, 30, 300, PAPER)


def sky(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """A smooth gradient behind a skyline."""
    for y in range(SIZE[1]):
        t = y / SIZE[1]
        draw.line((0, y, SIZE[0], y), (round(40 + 200 * t), round(90 + 110 * t), round(190 - 20 * t)))
    for k in range(20):
        top = int(rng.integers(230, 420))
        shade = int(rng.integers(30, 80))
        draw.rectangle((40 * k, top, 40 * k + 36, 512), (shade, shade, shade + 14))
        for row in range(top + 8, 505, 18):
            draw.rectangle((40 * k + 8, row, 40 * k + 14, row + 8), (250, 220, 120))


DRAWINGS: dict[str, Callable[[ImageDraw.ImageDraw, np.random.Generator], None]] = {
    "page": page,
    "bars": bars,
    "curves": curves,
    "window": window,
    "icons": icons,
    "sky": sky,
}


def drawings() -> dict[str, Image.Image]:
    """Every drawing by its name."""
    found = {}
    for number, (name, drawing) in enumerate(DRAWINGS.items()):
        image = Image.new("RGB", SIZE, PAPER)
        drawing(ImageDraw.Draw(image), np.random.default_rng(number))
        found[name] = image
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder to write to")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in drawings().items():
        image.save(folder / f"{name}.png")


if __name__ == "__main__":
    main()
