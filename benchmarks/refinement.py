"""What a search of one image's latents (`--refine N`) gains over the analysis transform.

    python benchmarks/refinement.py FOLDER [--iterations 100] [--images 6]

The middle 256×256 pixels of the first images of FOLDER, codec generative-mse. Cost is what the search minimises: bits
a pixel + λ · mean squared error, of the files as written and the images as decoded; seconds are the search's. Prints
means, as Markdown.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from vitiq.codecs.base import Codec
from vitiq.codecs.transform.codec import GenerativeMse
from vitiq.codecs.transform.hyperprior_integer import LEVELS
from vitiq.codecs.transform.networks.transform_codec import error_weight
from vitiq.image.io import read_image
from vitiq.types import ImageU8, Quality

SIDE = 256
QUALITIES = (5, 18, 36)


def measured(codec: Codec, piece: ImageU8, quality: int, weight: float) -> tuple[float, float, float, float]:
    """Bytes, PSNR in dB, cost, and seconds to encode."""
    start = time.perf_counter()
    data = codec.encode(piece, Quality(quality))
    seconds = time.perf_counter() - start
    error = float(np.square(codec.decode(data).astype(float) - piece).mean())
    return len(data), 10 * float(np.log10(255**2 / error)), 8 * len(data) / SIDE**2 + weight * error, seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--images", type=int, default=6)
    options = parser.parse_args()
    pieces = []
    for path in sorted(options.folder.glob("*.png"))[: options.images]:
        image = read_image(path)
        top, left = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
        pieces.append(np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE]))
    plain, refined = GenerativeMse(), GenerativeMse(refine=options.iterations)
    print("| quality | bytes | refined | PSNR, dB | refined | cost | seconds |\n|---:|---:|---:|---:|---:|---:|---:|")
    for quality in QUALITIES:
        weight = float(error_weight(torch.tensor([quality / (LEVELS - 1)])))
        # image, codec: bytes, PSNR, cost, seconds
        found = np.array([[measured(codec, piece, quality, weight) for codec in (plain, refined)] for piece in pieces])
        (b, p, _, _), (br, pr, _, seconds) = found.mean(axis=0)
        cost = 100 * (found[:, 1, 2] / found[:, 0, 2] - 1).mean()
        print(f"| {quality} | {b:.0f} | {br:.0f} | {p:.2f} | {pr:.2f} | {cost:+.1f} % | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
