"""What a search minimises, and how: an ablation of losses and optimisers.

    python benchmarks/search_losses.py FOLDER [--images 2] [--side 256] [--refine 40] [--iterations 60] [--weights VIT]
        [--losses mse,ssim,vit-topk] [--codecs inversion] [--factors]

The middle of the first images of FOLDER. `generative-mse` refined at one quality, so that bytes move with the loss, and
`inversion` at one budget, with each loss by Adam; then squared error by Adam and by SGD with the published schedule
(learning rate 1, momentum 0.9, divided by 10 on a plateau), and `inversion-vector` likewise. ViT-Score is read by the
embedded ViT, which several of the losses look through, and with `--weights` by another that none has seen. Losses whose
weights are not here are passed over by name. Prints means, as Markdown.

With `--factors`: the mean of each loss over the squared error, of JPEGs, which `vitiq.optimise.settings` is made from.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import Jpeg
from vitiq.codecs.spec import make_codec
from vitiq.errors import WeightsError
from vitiq.image.io import read_image
from vitiq.losses import LOSSES, STAND_INS, loss
from vitiq.metrics.base import Metric
from vitiq.metrics.scoring import resolve_metrics, score_pairs
from vitiq.models.backbones import load_backbone
from vitiq.models.tensors import to_tensor
from vitiq.optimise.settings import WEIGHTINGS
from vitiq.types import ImageU8, Quality

QUALITY, BUDGET = 18, 1540
HEAD = "| codec | loss | optimiser | bytes | PSNR, dB | SSIM | ViT-Score | of another ViT | seconds |"


def middle(image: ImageU8, side: int) -> ImageU8:
    """The middle `side`×`side` pixels."""
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def row(codec: Codec, quality: float, pieces: list[ImageU8], metrics: list[Metric], other: list[Metric]) -> str:
    """Means of the files of all pieces."""
    start = time.perf_counter()
    files = [codec.encode(piece, Quality(quality)) for piece in pieces]
    seconds = (time.perf_counter() - start) / len(pieces)
    rebuilt = [codec.decode(file) for file in files]
    own = score_pairs(pieces, rebuilt, metrics)
    psnr, ssim, vit = (np.mean([scores[name].value for scores in own]) for name in ("psnr-rgb", "ssim", "vit-topk"))
    independent = "–"
    if other:
        independent = f"{np.mean([scores['vit-topk'].value for scores in score_pairs(pieces, rebuilt, other)]):.3f}"
    size = np.mean([len(file) for file in files])
    return f"{size:.0f} | {psnr:.2f} | {ssim:.3f} | {vit:.3f} | {independent} | {seconds:.1f} |"


def factors(pieces: list[ImageU8]) -> None:
    """Print each loss over the squared error, of JPEGs at three qualities."""
    print("| loss | JPEG 5 | JPEG 15 | JPEG 40 |\n|---|---:|---:|---:|")
    tensors, codec = [to_tensor(piece) for piece in pieces], Jpeg()
    coded = [[to_tensor(codec.decode(codec.encode(piece, Quality(q)))) for piece in pieces] for q in (5, 15, 40)]
    for name in (*LOSSES, *STAND_INS):
        try:
            criterion = loss(name)
        except WeightsError:
            print(f"| {name} | not here: weights were not fetched | | |")
            continue
        with torch.no_grad():
            found = [
                np.mean([float(criterion(b, a)) for a, b in zip(tensors, images, strict=True)])
                / np.mean([float((b - a).square().mean()) for a, b in zip(tensors, images, strict=True)])
                for images in coded
            ]
        print(f"| {name} | " + " | ".join(f"{value:.0f}" for value in found) + " |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--refine", type=int, default=40)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--losses", default=",".join(WEIGHTINGS))
    parser.add_argument("--codecs", default="generative-mse,inversion,inversion-vector")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--factors", action="store_true")
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.png"))[: options.images]
    pieces = [middle(read_image(path), options.side) for path in paths]
    if options.factors:
        factors(pieces)
        return
    metrics = resolve_metrics("psnr-rgb,ssim,vit-topk")
    other = resolve_metrics("vit-topk", load_backbone(weights=options.weights)) if options.weights else []
    names = options.losses.split(",")
    cases = [("generative-mse", QUALITY, {"refine": 0}, "–", "no search")]
    for codec, quality, steps in (
        ("generative-mse", QUALITY, {"refine": options.refine}),
        ("inversion", BUDGET, {"iterations": options.iterations}),
    ):
        cases += [(codec, quality, {**steps, "loss": name}, name, "adam") for name in names]
        cases.append((codec, quality, {**steps, "optimizer": "sgd"}, "mse", "sgd"))
    for optimiser in ("adam", "sgd"):
        steps = {"iterations": options.iterations, "optimizer": optimiser}
        cases.append(("inversion-vector", 8, steps, "mse", optimiser))
    print(f"{HEAD}\n|---|---|---|---:|---:|---:|---:|---:|---:|")
    for codec, quality, given, name, optimiser in (case for case in cases if case[0] in options.codecs.split(",")):
        try:
            found = row(make_codec(codec, given), quality, pieces, metrics, other)
        except WeightsError as error:
            print(f"{codec}, {name}: {error}", file=sys.stderr)
            continue
        print(f"| {codec} | {name} | {optimiser} | {found}", flush=True)


if __name__ == "__main__":
    main()
