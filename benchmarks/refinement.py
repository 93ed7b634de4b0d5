"""What a search of one image's latents (`-O effort=N`) gains over the analysis transform, and what rounding gains.

    python benchmarks/refinement.py FOLDER [--efforts 1,2,3] [--images 4] [--tune psnr] [--ablation]

The middle 256×256 pixels of the first images of FOLDER, codec generative-mse. "nearest" rounds every latent to the
nearest whole number; effort 0 takes the cheaper of two by rate and distortion, as every encoder does. Cost is what the
search minimises with tune psnr: bits per pixel + λ · mean squared error, of the files as written and the images as
decoded, at each quality against effort 0. The BD-rates are of the mean curves against effort 0, in PSNR and in MS-SSIM
(as -10 log10(1 - x)). With --ablation also the first of the efforts with a part of the search taken away. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from vitiq.analysis.bd_rate import bd_rate
from vitiq.codecs.base import Codec
from vitiq.codecs.transform.codec import GenerativeMse
from vitiq.codecs.transform.hyperprior_integer import LEVELS
from vitiq.codecs.transform.networks.transform_codec import error_weight
from vitiq.codecs.transform.refine import CONTEXT_RDO_WEIGHT
from vitiq.image.io import read_image
from vitiq.metrics.fidelity.ms_ssim import MsSsim
from vitiq.optimise.loop import minimise
from vitiq.types import ImageU8, Quality

SIDE = 256
QUALITIES = (5, 15, 25, 36)
NEAREST = 1e9
"""Weight of a squared error that leaves nothing to choose."""


def with_adam(*arguments: Any, **keywords: Any) -> None:
    """`minimise` with Adam as it is."""
    minimise(*arguments, **{**keywords, "short": False})


WITHOUT: dict[str, dict[str, Any]] = {
    "noise to the end": {"ANNEALED": 1.0, "LONGEST_ANNEALED": 1.0, "TEMPERATURES": (0.5, 0.025)},
    "no noise": {"ANNEALED": 0.0},
    "rounded as without a search": {"SEARCHED_RDO_WEIGHT": CONTEXT_RDO_WEIGHT},
    "Adam": {"minimise": with_adam},
}
"""What in `vitiq.codecs.transform.refine` is replaced to take a part of the search away."""


def measured(codec: Codec, piece: ImageU8, quality: int) -> tuple[float, float, float, float, float]:
    """Bits per pixel, PSNR in dB, MS-SSIM in dB, cost, and seconds to encode."""
    weight = float(error_weight(torch.tensor([quality / (LEVELS - 1)])))
    start = time.perf_counter()
    data = codec.encode(piece, Quality(quality))
    seconds = time.perf_counter() - start
    rebuilt = codec.decode(data)
    error = float(np.square(rebuilt.astype(float) - piece).mean())
    alike = -10 * float(np.log10(1 - float(MsSsim()(piece, rebuilt).value)))
    bits = 8 * len(data) / SIDE**2
    return bits, 10 * float(np.log10(255**2 / error)), alike, bits + weight * error, seconds


def curves(codec: Codec, pieces: list[ImageU8]) -> np.ndarray:
    """Quality × image × what `measured` gives."""
    return np.array([[measured(codec, piece, quality) for piece in pieces] for quality in QUALITIES])


def row(name: str, found: np.ndarray, anchor: np.ndarray) -> str:
    """A line of the table."""
    cost = 100 * (found[:, :, 3] / anchor[:, :, 3] - 1).mean(axis=1)
    ours, theirs = found.mean(axis=1).T, anchor.mean(axis=1).T
    rates = [bd_rate(theirs[0], theirs[k], ours[0], ours[k]).percent for k in (1, 2)]
    cells = [*(f"{x:+.1f} %" for x in (*cost, *rates)), f"{ours[4].mean():.1f}"]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--efforts", default="1,2,3")
    parser.add_argument("--tune", default="psnr")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--ablation", action="store_true")
    options = parser.parse_args()
    pieces = []
    for path in sorted(options.folder.glob("*.png"))[: options.images]:
        image = read_image(path)
        top, left = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
        pieces.append(np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE]))
    anchor = curves(GenerativeMse(), pieces)
    costs = " | ".join(f"cost at {quality}" for quality in QUALITIES)
    print(f"| search | {costs} | BD-rate, PSNR | BD-rate, MS-SSIM | seconds |\n|---|{'---:|' * (len(QUALITIES) + 3)}")
    print(row("effort 0", anchor, anchor), flush=True)
    with patch("vitiq.codecs.transform.refine.CONTEXT_RDO_WEIGHT", NEAREST):
        print(row("nearest", curves(GenerativeMse(), pieces), anchor), flush=True)
    efforts = [int(effort) for effort in filter(None, options.efforts.split(","))]
    for effort in efforts:
        codec = GenerativeMse(effort=effort, tune=options.tune)
        print(row(f"effort {effort}, tune {options.tune}", curves(codec, pieces), anchor), flush=True)
    for name, constants in WITHOUT.items() if options.ablation else ():
        codec = GenerativeMse(effort=efforts[0], tune=options.tune)
        with patch.multiple("vitiq.codecs.transform.refine", **constants):
            print(row(f"effort {efforts[0]}, {name}", curves(codec, pieces), anchor), flush=True)


if __name__ == "__main__":
    main()
