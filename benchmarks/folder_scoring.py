"""`vitiq score` on two folders beside the network alone: does reading starve it, and what are batches worth?

    python benchmarks/folder_scoring.py --pairs 200
    python benchmarks/folder_scoring.py --pairs 200 --network vit_tiny_patch16_224

A ViT with random weights scores two folders of 512×512 PNG files, all different, with `vit-topk`, one after the other
in each round:

- the network alone: all images in memory, `Backbone.logits` in full batches (what benchmarks/vit_score.py shows),
- pair by pair: read two files, score them (as folders were scored before batches),
- the command itself, `vitiq score A B -m vit-topk --weights FILE -j 1`, without its start: a call before loads the
  network.

Times are the processor's (`time.process_time`), on one thread: on a machine that others use too they say what
wall-clock time would on a quiet one. The best round of each counts. Each process of `-j N` does the same work, and
starts in the seconds that are printed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file
from vit_score import photographs

from vitiq.cli.main import cli
from vitiq.image.io import read_image
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.models.backbones import Backbone, load_backbone
from vitiq.models.backbones.cache import Cache
from vitiq.models.vit import VisionTransformer, named_config


def write_pairs(folder: Path, count: int) -> list[tuple[Path, Path]]:
    """Pairs of files in the folders `a` and `b`."""
    images = iter(photographs(2 * count, 512))
    pairs = []
    for side in "ab":
        (folder / side).mkdir()
    for number in range(count):
        pairs.append((folder / "a" / f"{number:03d}.png", folder / "b" / f"{number:03d}.png"))
        for path in pairs[-1]:
            Image.fromarray(next(images)).save(path, compress_level=1)
    return pairs


def command(folder: Path, weights: Path, only: str = "") -> list[float]:
    """Values that the command itself gives for two folders, or for one pair of them."""
    words = ["score", str(folder / "a" / only), str(folder / "b" / only), "-m", "vit-topk", "--weights", str(weights)]
    done = CliRunner().invoke(cli, [*words, "-j", "1", "--json", "--quiet"])
    if done.exit_code:
        raise SystemExit(f"vitiq score failed: {done.output} {done.exception}")
    return [pair["scores"]["vit-topk"]["value"] for pair in json.loads(done.stdout)["pairs"]]


def one_by_one(files: list[tuple[Path, Path]], backbone: Backbone) -> list[float]:
    """Two files at a time."""
    metrics = resolve_metrics("vit-topk", backbone)
    return [score_pair(read_image(a), read_image(b), metrics)["vit-topk"].value for a, b in files]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--network", default="vit_base_patch16_224")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, weights = write_pairs(folder, options.pairs), folder / f"{options.network}.safetensors"
        save_file(VisionTransformer(named_config(options.network)).state_dict(), weights)
        start = time.process_time()
        command(folder, weights, files[0][0].name)
        start = time.process_time() - start
        backbone = load_backbone(weights=weights)
        memory = [read_image(path) for pair in files for path in pair]
        values: dict[str, list[float]] = {}

        def timed() -> Iterator[tuple[str, float]]:
            for key, work in {
                "the network alone": lambda: list(backbone.logits(memory)),
                "pair by pair": lambda: one_by_one(files, backbone),
                "vitiq score": lambda: command(folder, weights),
            }.items():
                backbone._cache = Cache()
                begun = time.process_time()
                values[key] = work()
                yield key, time.process_time() - begun

        times: dict[str, float] = {}
        for _ in range(options.rounds):
            for key, seconds in timed():
                times[key] = min(times.get(key, seconds), seconds)
    images = 2 * options.pairs
    print(f"{options.network}, {backbone.precision}, {options.pairs} pairs of 512×512; start {start:.1f} s\n")
    print("| | images/s | of the network alone |\n|---|---:|---:|")
    for key, seconds in times.items():
        print(f"| {key} | {images / seconds:.2f} | {100 * times['the network alone'] / seconds:.0f} % |")
    del values["the network alone"]
    print(f"\nlargest difference of the values: {np.abs(np.subtract(*values.values())).max():.4f}")


if __name__ == "__main__":
    main()
