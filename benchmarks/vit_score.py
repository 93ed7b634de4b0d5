"""How near ViT-Score runs to the machine's matrix-product peak, and how much faster than the thesis's script.

    pip install --no-deps pytorch-pretrained-vit==0.0.7
    python benchmarks/vit_score.py --threads 1

ViT-B/16 with random weights at 224 and 384 px. In each round, one after the other: square products in float32
(weights packed in oneDNN's layout, as in bfloat16: the machine's peaks), the original script's way (the package that
it used, in float32, one image at a time, original and reconstruction resized and read again for every
reconstruction; without the package, our network in its place), square products in bfloat16, and ours (a sweep of
reconstructions of one original through `Backbone.logits`: resize, hash, batches, packed bfloat16 where its rule
allows). The best round of each counts.
Two shares of the peak are printed: of the network's operations, as if each forward did them all (model FLOPs
utilisation, Chowdhery et al. 2022, arXiv 2204.02311, section 4.1), and of those alone that ours does, which leaves out
what no label reads.
Times are the processor's, of all threads (`time.process_time`): on a machine that others use too they say what
wall-clock time would on a quiet one; the wall-clock's best is printed beside them.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.backbones.packed import PackedLinear
from vitiq.models.backbones.precision import native_bfloat16
from vitiq.models.vit import VisionTransformer, ViTConfig, named_config

SIDE = 2048
PRODUCTS = 60
"""Products in a row: seconds, as the sweeps take, since a processor's clock is higher in short bursts."""
K = 100


@dataclass
class Best:
    """Least processor and wall-clock seconds of a piece of work."""

    cpu: float = float("inf")
    wall: float = float("inf")

    def time(self, work: Callable[[], object], threads: int) -> None:
        """Run and keep the least."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.cpu = min(self.cpu, (time.process_time() - cpu) / threads)
        self.wall = min(self.wall, time.perf_counter() - wall)


def operations(config: ViTConfig) -> tuple[float, float]:
    """Multiplications and additions of the products of the whole network, and of those that labels need.

    Labels need the class token alone of the last block.
    """
    tokens, d = config.grid**2 + 1, config.width
    block = 2 * tokens * d * d * (4 + 2 * config.mlp_ratio) + 4 * tokens * tokens * d
    last = 2 * d * d * (2 * tokens + 2 + 2 * config.mlp_ratio) + 4 * tokens * d
    ends = 2 * config.grid**2 * 3 * config.patch**2 * d + 2 * d * config.classes
    return config.depth * block + ends, (config.depth - 1) * block + last + ends


def photographs(count: int, side: int) -> list[np.ndarray]:
    """Different images with the spectrum of photographs: one of them, under growing noise."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequency[0, 0] = np.inf
    base = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(3, side, side))) / frequency, (side, side))
    base = base.transpose(1, 2, 0) / base.std() * 50 + 128
    return [np.clip(base + rng.normal(0, i, base.shape), 0, 255).astype(np.uint8) for i in range(count)]


def thesis_network(config: ViTConfig, ours: VisionTransformer) -> tuple[str, torch.nn.Module]:
    """The thesis's network with random weights, and the package that it is from; ours where that is not installed."""
    try:
        package: Any = importlib.import_module("pytorch_pretrained_vit")
    except ImportError:
        return "our network, pytorch-pretrained-vit is not installed", ours
    return "pytorch-pretrained-vit", package.ViT("B_16", image_size=config.image_size, pretrained=False).eval()


def measure(name: str, reconstructions: int, rounds: int, threads: int) -> None:
    """Print one network's figures."""
    torch.manual_seed(0)
    model = VisionTransformer(named_config(name)).eval()
    config = model.config
    labels = tuple(map(str, range(config.classes)))
    images = photographs(reconstructions + 1, 512)

    def backbone() -> Backbone:
        return Backbone(name, model, labels, Preprocessing(config.image_size), "0" * 64, 0, chosen.precision)

    chosen = Backbone(name, model, labels, Preprocessing(config.image_size), "0" * 64, 0)
    chosen.logits(images[:1])
    exact = Backbone(name, model, labels, Preprocessing(config.image_size), "0" * 64, 0, "float32")
    package, network = thesis_network(config, model)

    def original() -> None:
        with torch.inference_mode():
            for image in images[:2]:
                network(exact._inputs([image]))

    square, zeros = torch.randn(SIDE, SIDE), torch.zeros(SIDE)
    single, half = (PackedLinear(square, zeros, dtype) for dtype in (torch.float32, torch.bfloat16))
    rounded = square.bfloat16()
    times = {key: Best() for key in ("float32", "bfloat16", "original", "ours")}
    with torch.inference_mode():
        for _ in range(rounds):
            fresh = backbone()
            _ = fresh._network
            # The peak comes just before ours: clocks fall under heavy vector work and so favour what runs first.
            times["float32"].time(lambda: [single(square) for _ in range(PRODUCTS)], threads)
            times["original"].time(original, threads)
            times["bfloat16"].time(lambda: [half(rounded) for _ in range(PRODUCTS)], threads)
            times["ours"].time(lambda fresh=fresh: fresh.logits(images), threads)

    def rate(key: str, clock: str) -> float:
        return PRODUCTS * 2 * SIDE**3 / getattr(times[key], clock) / 1e9

    whole, needed = (count / 1e9 for count in operations(config))
    sweep = f"sweep of {reconstructions} reconstructions"
    print(f"\n{name}: {whole:.1f} GFLOP a forward, {needed:.1f} for labels alone, {chosen.precision}, {sweep}")
    print("| | processor time | wall-clock |\n|---|---:|---:|")
    rows = {
        "matrix-product peak float32, GFLOP/s": [rate("float32", c) for c in ("cpu", "wall")],
        "matrix-product peak bfloat16, GFLOP/s": [rate("bfloat16", c) for c in ("cpu", "wall")],
        f"the original's way ({package}), forwards/s": [2 / getattr(times["original"], c) for c in ("cpu", "wall")],
        "ours, forwards/s": [len(images) / getattr(times["ours"], c) for c in ("cpu", "wall")],
    }
    peak = "bfloat16" if native_bfloat16() else "float32"
    for flops, counted in ((whole, "the network's operations"), (needed, "operations done")):
        rows[f"ours, {counted} as a share of the {peak} peak, %"] = [
            100 * flops * rows["ours, forwards/s"][i] / rows[f"matrix-product peak {peak}, GFLOP/s"][i] for i in (0, 1)
        ]
    rows["sweep, times faster than the original's way"] = [
        reconstructions * getattr(times["original"], c) / getattr(times["ours"], c) for c in ("cpu", "wall")
    ]
    for label, (cpu, wall) in rows.items():
        print(f"| {label} | {cpu:.2f} | {wall:.2f} |")
    tops = [np.argsort(-b.logits(images), axis=1, kind="stable")[:, :K] for b in (exact, chosen)]
    shared = [np.intersect1d(x, y).size / K for x, y in zip(*tops, strict=True)]
    scores = [[np.intersect1d(t[0], row).size / K for row in t[1:]] for t in tops]
    difference = np.abs(np.subtract(*scores)).mean()
    print(f"top-{K} labels shared with float32: {np.mean(shared):.4f}; mean difference of ViT-Scores {difference:.4f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    measure("vit_base_patch16_224", 39, options.rounds, options.threads)
    measure("vit_base_patch16_384", 39, options.rounds, options.threads)


if __name__ == "__main__":
    main()
