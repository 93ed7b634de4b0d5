"""What the latents of `inversion` say without a network that reads them: nearest images, and what lies between two.

    python benchmarks/latent_analysis.py [FOLDER …] [--image latents.png] [--nearest nearest.png]

Nearest images: each image of the folders is looked for by a mirrored piece of it (nine tenths of each side). Printed is
how often the image itself is the nearest, by its pixels at 32×32, by latents at their places, by mean and spread of the
latents over all places, and by the labels of the embedded ViT. Latents are the encoder's, of 256×256 pixels.

With --image also images on the straight way between the latents of two bundled images, over a blend of their pixels.
With --nearest the same search as an image, among the quarters of the bundled images: a row each has the mirrored piece
of a quarter that is looked for, then the nearest quarter by each of the four, in the order above.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vitiq.codecs.inversion.generators import load_generator
from vitiq.codecs.inversion.search import reconstruct
from vitiq.image.geometry import resize
from vitiq.image.io import read_image
from vitiq.models.backbones import load_backbone
from vitiq.models.tensors import to_tensor
from vitiq.types import ImageU8

SIDE = 256
SHOWN, SMALL = 160, 96
BETWEEN = ("animal", "portrait")
PLACES = 5


def latents_of(image: ImageU8) -> list[np.ndarray]:
    """The encoder's latents, a layer each."""
    found = load_generator().encode(to_tensor(resize(image, SIDE, SIDE)))
    return [layer[0].numpy() for layer in found or []]


def mirrored_piece(image: ImageU8) -> ImageU8:
    """The middle nine tenths of each side, mirrored."""
    height, width, _ = image.shape
    down, across = height // 20, width // 20
    return np.ascontiguousarray(image[down : height - down, across : width - across][:, ::-1])


def descriptors(images: Sequence[ImageU8]) -> dict[str, np.ndarray]:
    """Rows of numbers of each image, by the way they were made."""
    latents = [latents_of(image) for image in images]
    moments = [[v.mean((1, 2)) for v in own] + [v.std((1, 2)) for v in own] for own in latents]
    return {
        "pixels": np.stack([resize(image, 32, 32).astype(np.float64).ravel() for image in images]),
        "latents at their places": np.stack([np.concatenate([v.ravel() for v in own]) for own in latents]),
        "means and spreads of latents": np.stack([np.concatenate(own) for own in moments]),
        "labels of the embedded ViT": np.stack(list(load_backbone().logits(images))),
    }


def nearest(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Number of the row nearest to each query, each column at the same spread."""
    spread = rows.std(axis=0) + 1e-9
    distances = np.square((queries[:, None] - rows[None]) / spread).sum(axis=2)
    return np.asarray(distances.argmin(axis=1))


def quarters(image: ImageU8) -> list[ImageU8]:
    """Upper left, upper right, lower left, lower right."""
    height, width = (side // 2 for side in image.shape[:2])
    return [
        np.ascontiguousarray(image[top : top + height, left : left + width])
        for top in (0, height)
        for left in (0, width)
    ]


def in_images(folder: Path) -> ImageU8:
    """A row for one quarter of each bundled image: its mirrored piece, and the nearest quarters."""
    images = [quarter for path in sorted(folder.glob("*.png")) for quarter in quarters(read_image(path))]
    asked = [5 * row for row in range(len(images) // 4)]  # another quarter of each image
    queries = [mirrored_piece(images[number]) for number in asked]
    rows, wanted = descriptors(images), descriptors(queries)
    found = [nearest(wanted[name], values) for name, values in rows.items()]
    shown = [[query, *(images[own[row]] for own in found)] for row, query in enumerate(queries)]
    return np.concatenate([np.concatenate([resize(one, SMALL, SMALL) for one in row], axis=1) for row in shown])


def on_the_way(folder: Path) -> ImageU8:
    """Two rows: images of latents between those of two images, and blends of the two images' pixels."""
    first, last = (resize(read_image(folder / f"{name}.png"), SIDE, SIDE) for name in BETWEEN)
    a, b = latents_of(first), latents_of(last)
    rows: tuple[list[ImageU8], list[ImageU8]] = ([], [])
    for share in np.linspace(0, 1, PLACES):
        mixed = [((1 - share) * v + share * w).astype(np.float32) for v, w in zip(a, b, strict=True)]
        rows[0].append(reconstruct(load_generator().at(SIDE, SIDE), mixed, (0.0, 1.0)))
        rows[1].append(np.round((1 - share) * first + share * last).astype(np.uint8))
    return np.concatenate([np.concatenate([resize(one, SHOWN, SHOWN) for one in row], axis=1) for row in rows])


def main() -> None:
    """Print the table, and draw the images where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--nearest", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    bundled = Path(__file__).parents[1] / "examples" / "images"
    for path, drawn in ((given.image, on_the_way), (given.nearest, in_images)):
        if path:
            Image.fromarray(drawn(bundled)).save(path, optimize=True)
    images = [read_image(path) for folder in given.folders for path in sorted(folder.glob("*.png"))]
    if images:
        rows, queries = descriptors(images), descriptors([mirrored_piece(image) for image in images])
        print(f"{len(images)} images\n\n| by | found |\n|---|---:|")
        for name, values in rows.items():
            own = nearest(queries[name], values) == np.arange(len(images))
            print(f"| {name} | {100 * own.mean():.0f} % |")


if __name__ == "__main__":
    main()
