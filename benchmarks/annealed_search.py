"""What annealing is worth in the search of inversion: PSNR with and without it at the same budget.

    python benchmarks/annealed_search.py examples/images [--bytes 1540]

Without it, uniform noise stands in for rounding to the last iteration.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from goals import psnr

from vitiq.codecs.inversion import budget as inversion_budget
from vitiq.codecs.inversion.codec import Inversion
from vitiq.image.io import read_image
from vitiq.types import Quality


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bytes", type=int, default=1540)
    options = parser.parse_args()
    codec, default = Inversion(), inversion_budget.ANNEALED_FROM
    print("| image | noise: bytes | dB | annealed: bytes | dB |\n|---|---:|---:|---:|---:|")
    gains = []
    for path in sorted(options.folder.glob("*.png")):
        image, row = read_image(path), []
        for start in (2.0, default):
            inversion_budget.ANNEALED_FROM = start
            data = codec.encode(image, Quality(options.bytes))
            row += [(len(data), psnr(image, codec.decode(data)))]
        gains.append(row[1][1] - row[0][1])
        print(f"| {path.stem} | " + " | ".join(f"{size} | {quality:.2f}" for size, quality in row) + " |", flush=True)
    print(f"\nmean gain {np.mean(gains):.2f} dB")


if __name__ == "__main__":
    main()
