"""Folder scoring beside the network alone: does reading starve it, and what are batches worth?

    python benchmarks/folder_scoring.py --pairs 200

ViT-B/16 with random weights at 224 px scores pairs of 512×512 PNG files, all different, with `vit-topk`, three ways in
one run, one after the other in each round:

- the network alone: all images in memory, `Backbone.logits` in full batches (what benchmarks/vit_score.py shows),
- pair by pair: read two files, score them (as folders were scored before batches),
- in batches: read some pairs, hand them to `score_pairs` (as folders are scored).

Times are the processor's (`time.process_time`), on one thread: on a machine that others use too they say what
wall-clock time would on a quiet one. The best round of each counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from vit_score import photographs

from vitiq.image.io import read_image
from vitiq.metrics.scoring import resolve_metrics, score_pair, score_pairs
from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.vit import VisionTransformer, named_config

PAIRS_AT_A_TIME = 16


def write_pairs(folder: Path, count: int) -> list[tuple[Path, Path]]:
    """Pairs of files."""
    paths = []
    for i, image in enumerate(photographs(2 * count, 512)):
        paths.append(folder / f"{i}.png")
        Image.fromarray(image).save(paths[-1], compress_level=1)
    return list(zip(paths[::2], paths[1::2], strict=True))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--network", default="vit_base_patch16_224")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = VisionTransformer(named_config(options.network)).eval()
    labels = tuple(map(str, range(model.config.classes)))
    chosen = Backbone("chosen", model, labels, Preprocessing(model.config.image_size), "0" * 64, 0).precision

    def backbone() -> Backbone:
        fresh = Backbone(options.network, model, labels, Preprocessing(model.config.image_size), "0" * 64, 0, chosen)
        _ = fresh._network
        return fresh

    with tempfile.TemporaryDirectory() as folder:
        files = write_pairs(Path(folder), options.pairs)
        times = dict.fromkeys(("the network alone", "pair by pair", "in batches"), float("inf"))
        values: dict[str, list[float]] = {}

        def alone() -> Iterator[float]:
            memory = [read_image(path) for pair in files for path in pair]
            fresh = backbone()
            start = time.process_time()
            fresh.logits(memory)
            yield time.process_time() - start

        def scored(work: Callable[[list[tuple[Path, Path]], Backbone], list[float]], key: str) -> Iterator[float]:
            fresh = backbone()
            start = time.process_time()
            values[key] = work(files, fresh)
            yield time.process_time() - start

        for _ in range(options.rounds):
            for key, timed in (
                ("the network alone", alone()),
                ("pair by pair", scored(one_by_one, "pair by pair")),
                ("in batches", scored(in_batches, "in batches")),
            ):
                times[key] = min(times[key], next(timed))
    images = 2 * options.pairs
    print(f"{options.network}, {chosen}, {options.pairs} pairs of 512×512\n\n| | images/s | of the network alone |")
    print("|---|---:|---:|")
    for key, seconds in times.items():
        print(f"| {key} | {images / seconds:.2f} | {100 * times['the network alone'] / seconds:.0f} % |")
    print(f"\nlargest difference of the values: {np.abs(np.subtract(*values.values())).max():.4f}")


def one_by_one(files: list[tuple[Path, Path]], backbone: Backbone) -> list[float]:
    """Two files at a time."""
    metrics = resolve_metrics("vit-topk", backbone)
    return [score_pair(read_image(a), read_image(b), metrics)["vit-topk"].value for a, b in files]


def in_batches(files: list[tuple[Path, Path]], backbone: Backbone) -> list[float]:
    """Some pairs of files at a time."""
    metrics = resolve_metrics("vit-topk", backbone)
    found = []
    for start in range(0, len(files), PAIRS_AT_A_TIME):
        part = files[start : start + PAIRS_AT_A_TIME]
        pairs = [(read_image(a), read_image(b)) for a, b in part]
        found += [s["vit-topk"].value for s in score_pairs(*map(list, zip(*pairs, strict=True)), metrics)]
    return found


if __name__ == "__main__":
    main()
