"""How many iterations a search of latents needs that starts where the image's latents are predicted.

    python benchmarks/latent_start.py IMAGE [IMAGE …] [--generators transgan embedded] [--iterations 200] [--side 256]

Searches as `inversion-vector` (`transgan`; one latent) or as `inversion` without its rate (`embedded`; three layers,
side×side pixels): Adam, squared error. The loss to reach is that of all iterations from chance (`transgan`, as
published) or from zeros (`embedded`, whose layers have spreads of their own). Printed are the PSNR after some
iterations from either start, and the iterations from the prediction until that loss. The prediction is linear in an
image of 16×16 pixels (`transgan`), or the encoder's (`embedded`).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vitiq.codecs.inversion.generators import Generator, load_generator
from vitiq.image.geometry import resize
from vitiq.image.io import read_image
from vitiq.models.tensors import to_tensor
from vitiq.optimise.loop import minimise
from vitiq.optimise.settings import SearchSettings
from vitiq.types import ImageU8

SHOWN = (1, 5, 10, 25, 50, 100, 200, 500)


def searched(generator: Generator, target: Tensor, start: list[Tensor], settings: SearchSettings) -> list[float]:
    """The least squared error, of pixels in [0, 1], within each number of iterations."""
    low, high = generator.output_range
    found: list[float] = []
    latents = [layer.clone().requires_grad_() for layer in start]

    def objective(_: int) -> tuple[Tensor, Tensor]:
        rebuilt = (generator.generate(latents) - low) / (high - low)
        error = (rebuilt - target).square().mean()
        found.append(min([*found[-1:], float(error.detach())]))
        return error * (high - low) ** 2, rebuilt

    minimise(objective, latents, settings)
    return found[1:]  # Adam's floors take one call before the first iteration.


def starts(generator: Generator, target: Tensor) -> dict[str, list[Tensor]]:
    """First latents: without a prediction, then with it."""
    low, high = generator.output_range
    with torch.no_grad():
        predicted = generator.encode(target * (high - low) + low)
    if predicted is None:
        raise SystemExit("the generator predicts no latents")
    random = torch.Generator().manual_seed(0)
    chance = [torch.randn(layer.shape, generator=random) for layer in predicted]
    zeros = [torch.zeros_like(layer) for layer in predicted]
    return ({"chance": chance} if len(predicted) == 1 else {"zeros": zeros}) | {"predicted": predicted}


def report(name: str, images: list[ImageU8], side: int, settings: SearchSettings) -> None:
    """Print the table of a generator."""
    fixed = load_generator(name)
    generator = fixed if fixed.stride is None else fixed.at(side, side)
    side = generator.resolution if fixed.stride is None else side
    curves: dict[str, list[list[float]]] = {}
    for image in images:
        target = to_tensor(resize(image, side, side))
        for start, latents in starts(generator, target).items():
            curves.setdefault(start, []).append(searched(generator, target, latents, settings))
    counts = [count for count in SHOWN if count <= settings.iterations]
    print(f"\n| {name}, {len(images)} images of {side}×{side}: start | " + " | ".join(map(str, counts)) + " |")
    print("|---|" + "---:|" * len(counts))
    for start, own in curves.items():
        cells = [np.mean([-10 * math.log10(curve[count - 1]) for curve in own]) for count in counts]
        print(f"| {start} | " + " | ".join(f"{value:.2f}" for value in cells) + " |")
    plain, predicted = curves.values()
    needed = [sum(error > ends[-1] for error in curve) + 1 for curve, ends in zip(predicted, plain, strict=True)]
    print(f"iterations from the prediction until that loss: {needed} of {settings.iterations}", flush=True)


def main() -> None:
    """Print a table for each generator."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--generators", nargs="+", default=["transgan", "embedded"])
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--side", type=int, default=256)
    given = parser.parse_args()
    torch.set_num_threads(1)
    images = [read_image(path) for path in given.images]
    for name in given.generators:
        report(name, images, given.side, SearchSettings(iterations=given.iterations))


if __name__ == "__main__":
    main()
