"""What leading channels that are sent whole and the correction of local means gain (docs/adr/0027 and 0028).

    python benchmarks/smooth_images.py FOLDER [--images 12] [--qualities 0,18,36,60] [--cells 16,64]

Images of FOLDER, drawn by a fixed seed, then the same number of the smoothest of all (least mean difference between
neighbouring pixels), then a drawn gradient of 200×136 pixels. Cost is what the codec generative-mse was trained for:
bits + λ · squared error of the mean of three colours, of the files as written and the images as decoded. Columns are
the change of the cost of all images against files with neither: with one, with both (as the codec is), and with
corrections of cells of another side. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from vitiq.codecs.transform.codec import GenerativeMse
from vitiq.codecs.transform.refine import lagrangian
from vitiq.image.io import named_as_image, read_image
from vitiq.types import ImageU8, Quality

LEADING, CORRECTED, CELL = "refine.leading_pays", "refine.corrected", "correction.CELL"


WITHOUT_LEADING: Mapping[str, Any] = {LEADING: lambda *_: False}
WITHOUT_CORRECTION: Mapping[str, Any] = {CORRECTED: lambda *_: None}
NEITHER: Mapping[str, Any] = {**WITHOUT_LEADING, **WITHOUT_CORRECTION}
CHOICES: dict[str, Mapping[str, Any]] = {"leading": WITHOUT_CORRECTION, "correction": WITHOUT_LEADING, "both": {}}
"""What in `vitiq.codecs.transform` is replaced."""


def smoothness(image: ImageU8) -> float:
    """Mean absolute difference of neighbouring pixels."""
    values = image.astype(np.float64)
    return float(sum(np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1)))


def gradient(height: int, width: int) -> ImageU8:
    """A light on a dark ground, without noise."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot((y - 0.35 * height) / height, (x - 0.6 * width) / width)
    image: ImageU8 = np.rint((230 * np.exp(-3 * distance**2))[..., None] * [0.6, 0.75, 1]).astype(np.uint8)
    return image


def measured(image: ImageU8, quality: int, replaced: Mapping[str, Any]) -> tuple[float, int, float]:
    """Cost, bytes, and squared error of a sample."""
    codec = GenerativeMse()
    with ExitStack() as stack:
        for name, value in replaced.items():
            stack.enter_context(patch(f"vitiq.codecs.transform.{name}", value))
        data = codec.encode(image, Quality(quality))
        error = float(np.square(codec.decode(data).astype(np.float64) - image).sum())
    return 8 * len(data) + lagrangian(quality) / 3 * error, len(data), error / image.size


def row(name: str, images: Sequence[ImageU8], quality: int, choices: Mapping[str, Mapping[str, Any]]) -> str:
    """A line of the table."""
    before = [measured(image, quality, NEITHER) for image in images]
    found = {choice: [measured(image, quality, replaced) for image in images] for choice, replaced in choices.items()}
    base = sum(cost for cost, *_ in before)
    changes = [f"{100 * (sum(cost for cost, *_ in rows) / base - 1):+.2f} %" for rows in found.values()]
    sides = [
        f"{sum(size for _, size, _ in rows) / len(rows):.0f} bytes, {10 * np.log10(255**2 / np.mean(errors)):.2f} dB"
        for rows in (before, found["both"])
        for errors in [[error for *_, error in rows]]
    ]
    return f"| {name} | {quality} | {' | '.join(changes)} | {' → '.join(sides)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of images")
    parser.add_argument("--images", type=int, default=12, help="random ones, and smoothest ones (default 12)")
    parser.add_argument("--qualities", default="0,18,36,60", help="with commas (default 0,18,36,60)")
    parser.add_argument("--cells", default="", help="sides of other cells, with commas")
    given = parser.parse_args()
    cells = {f"cells of {side}": {CELL: int(side)} for side in filter(None, given.cells.split(","))}
    choices = {**CHOICES, **cells}
    paths = sorted(filter(named_as_image, given.folder.rglob("*")))
    drawn = [paths[k] for k in np.random.default_rng(0).permutation(len(paths))[: given.images]]
    smoothest = sorted(paths, key=lambda path: smoothness(read_image(path)))[: given.images]
    print(f"| images | quality | {' | '.join(choices)} | mean |\n|---|---:|{'---:|' * len(choices)}---|")
    for name, some in (("random", drawn), ("smoothest", smoothest), ("gradient", None)):
        images = [gradient(136, 200)] if some is None else [read_image(path) for path in some]
        for quality in map(int, given.qualities.split(",")):
            print(row(name, images, quality, choices), flush=True)


if __name__ == "__main__":
    main()
