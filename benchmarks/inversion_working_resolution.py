"""What the choice of a working resolution by rate is worth: each image coded at the one chosen, and at the largest.

    python benchmarks/inversion_working_resolution.py examples/images [-q 1540] [--crop 512]

Prints bytes and PSNR of both for each image, and their means. With --crop the centre square of each image is taken.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest import mock

import numpy as np

from vitiq.codecs.inversion import working_size
from vitiq.codecs.inversion.codec import Inversion
from vitiq.image.io import find_images, read_image
from vitiq.metrics.fidelity.pixel import PsnrRgb
from vitiq.types import ImageU8, Quality


def coded(image: ImageU8, budget: int, *, largest: bool) -> tuple[int, float, str]:
    """Bytes, PSNR and note of the file of an image."""
    codec, psnr = Inversion(), PsnrRgb()
    if largest:
        first = working_size.resolutions(image.shape[1], image.shape[0])[0]
        with mock.patch.object(working_size, "choose", return_value=first):
            data = codec.encode(image, Quality(budget))
    else:
        data = codec.encode(image, Quality(budget))
    return len(data), psnr(image, codec.decode(data)).value, "; ".join(codec.inspect(data).notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-q", "--quality", type=int, default=1540)
    parser.add_argument("--crop", type=int)
    options = parser.parse_args()
    values: list[tuple[float, float]] = []
    for found in find_images([options.folder]).images:
        image = read_image(found.path)
        if options.crop:
            top, left = ((side - options.crop) // 2 for side in image.shape[:2])
            image = np.ascontiguousarray(image[top : top + options.crop, left : left + options.crop])
        chosen = coded(image, options.quality, largest=False)
        largest = coded(image, options.quality, largest=True)
        values.append((chosen[1], largest[1]))
        print(
            f"{found.name:16} chosen {chosen[0]} B {chosen[1]:.2f} dB, largest {largest[0]} B {largest[1]:.2f} dB"
            f"  {chosen[2]}",
            flush=True,
        )
    print("mean: chosen {:.2f} dB, largest {:.2f} dB".format(*np.mean(values, axis=0)))


if __name__ == "__main__":
    main()
