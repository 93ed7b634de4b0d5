"""How often the 95 % intervals of `vitiq bd` cover the true BD-rate, by the number of images.

    python benchmarks/coverage.py [--studies N]

Needs no data: studies of two codecs are drawn whose true BD-rate is known from 20,000 images. An image has its own
rate (ln R, deviation 0.8), quality (3 dB) and difference between the codecs (ln R, deviation 0.1), all normally
distributed; a codec has four settings. Both figures' intervals are counted: that of the mean curve, and that of the
mean of the images.
"""

from __future__ import annotations

import argparse

import numpy as np

from vitiq.analysis.comparison import compare
from vitiq.analysis.points import RdPoint

IMAGES = (2, 4, 6, 8, 10, 12, 16, 24)
SETTINGS = 4
MANY = 20_000


def study(images: int, rng: np.random.Generator) -> list[RdPoint]:
    """The points of one study."""
    size, quality = rng.normal(0, 0.8, images), rng.normal(0, 3, images)
    saved = rng.normal(np.log(0.85), 0.1, images)
    points = []
    for image in range(images):
        for codec, less in (("anchor", 0.0), ("tested", saved[image])):
            for setting in range(SETTINGS):
                bpp = float(0.1 * 2**setting * np.exp(size[image] + less))
                values = {"m": float(28 + 3 * setting + quality[image])}
                points.append(RdPoint(str(image), codec, str(setting), bpp, values))
    return points


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=300)
    count = parser.parse_args().studies
    rng = np.random.default_rng(0)
    whole = compare(study(MANY, rng), "tested", "anchor", "m", resamples=0)
    print("| images | mean curve | mean of images |\n|---:|---:|---:|")
    for images in IMAGES:
        covered = np.zeros(2)
        for _ in range(count):
            found = compare(study(images, rng), "tested", "anchor", "m", resamples=400)
            pairs = ((found.rate, whole.rate), (found.mean_rate, whole.mean_rate))
            covered += [one.low <= true.value <= one.high for one, true in pairs]
        print(f"| {images} | {covered[0] / count:.0%} | {covered[1] / count:.0%} |", flush=True)


if __name__ == "__main__":
    main()
