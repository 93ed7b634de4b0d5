"""Which levels and which pooling `vit-tiles` should have, compared without human scores.

    python benchmarks/vit_tiles_settings.py IMAGES.tar vit_tiny.safetensors deit_tiny.safetensors --count 40

Training images are degraded at known levels (JPEG, JPEG 2000, WebP, blur, noise). A setting is good where
1. order: a higher level scores lower, for neighbouring levels of one kind on one image (share of right steps);
2. two networks agree: Spearman's correlation, over all images, kinds and levels, between the scores that two
   independently trained backbones give: what a setting measures should be in the image, not in the network;
3. they agree at one level: the same over images at one level of one kind (a mean over levels and kinds), which the
   order of the ladder cannot bring about.
No opinion score is read here; those of TID2013 are for `vitiq validate`.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from vitiq.analysis.correlation import spearman
from vitiq.metrics.semantic.matching import cosines
from vitiq.metrics.semantic.tiles import cut, tiling
from vitiq.models.backbones import Backbone, load_backbone
from vitiq.types import ImageU8

Degrade = Callable[[ImageU8, float], ImageU8]


def as_file(kind: str, **fixed: object) -> Degrade:
    """A codec of Pillow at a quality."""

    def run(image: ImageU8, quality: float) -> ImageU8:
        buffer = io.BytesIO()
        option = {"quality_layers": [quality]} if kind == "JPEG2000" else {"quality": int(quality)}
        Image.fromarray(image).save(buffer, kind, **option, **fixed)  # type: ignore[arg-type]
        return np.asarray(Image.open(buffer).convert("RGB"))

    return run


def blur(image: ImageU8, sigma: float) -> ImageU8:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def noise(image: ImageU8, deviation: float) -> ImageU8:
    drawn = np.random.default_rng(0).normal(0, deviation, image.shape)
    return np.clip(np.rint(image + drawn), 0, 255).astype(np.uint8)


LADDER: dict[str, tuple[Degrade, tuple[float, ...]]] = {
    "jpeg": (as_file("JPEG"), (90, 70, 45, 25, 12, 6)),
    "jpeg2000": (as_file("JPEG2000", quality_mode="dB", irreversible=True), (42, 38, 34, 31, 28, 25)),
    "webp": (as_file("WEBP"), (90, 70, 45, 25, 10, 1)),
    "blur": (blur, (0.5, 0.8, 1.2, 1.8, 2.7, 4.0)),
    "noise": (noise, (3, 6, 10, 16, 25, 40)),
}
"""Kind -> how, and its levels from mild to strong."""

POOLS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda d: d.mean(axis=(0, 2)),
    "rms": lambda d: np.sqrt(np.square(d).mean(axis=(0, 2))),
    "fourth": lambda d: (d**4).mean(axis=(0, 2)) ** 0.25,
}


def images(archive: Path, count: int) -> Iterator[ImageU8]:
    """Evenly chosen images of an archive."""
    with tarfile.open(archive) as file:
        members = sorted((m for m in file if m.isfile()), key=lambda m: m.name)
        for place in np.linspace(0, len(members) - 1, count).astype(int):
            data = file.extractfile(members[int(place)])
            if data is not None:
                yield np.asarray(Image.open(io.BytesIO(data.read())).convert("RGB"))


def all_levels(backbone: Backbone, tiles: list[ImageU8]) -> np.ndarray:
    """Patch tokens before the first block, after each block and after the last norm: tile, level, patch, number."""
    x = backbone.normalised(torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).float() / 255)
    model = backbone.model
    with torch.inference_mode():
        final, hidden = model.forward_hidden(x, range(model.config.depth))
        levels = [tokens[:, 1:] for tokens in (model.embed(x), *hidden, final)]
    return torch.stack(levels, dim=1).numpy()


def level_sets(depth: int) -> dict[str, Callable[[np.ndarray], float]]:
    """Name -> one distance from the pooled distances of level 0, blocks 1 … depth, and the norm."""

    def geometric(d: np.ndarray) -> float:
        return float(np.exp(np.log(np.maximum(d, 1e-12)).mean()))

    late = slice(depth // 2 + 1, None)
    return {
        "level 0": lambda d: float(d[0]),
        "early half": lambda d: geometric(d[1 : depth // 2 + 1]),
        "later half": lambda d: geometric(d[late]),
        "all": geometric,
        "norm": lambda d: float(d[-1]),
        "level 0 × later half": lambda d: float(np.sqrt(d[0] * geometric(d[late]))),
        "level 0 × norm": lambda d: float(np.sqrt(d[0] * d[-1])),
    }


def distances(backbone: Backbone, image: ImageU8, shown: list[ImageU8]) -> np.ndarray:
    """Pooled distances of every degraded image: image, pool, level."""
    height, width, _ = image.shape
    plan = tiling(width, height, backbone.image_size)
    reference = all_levels(backbone, cut(image, plan))
    rows = []
    for other in shown:
        d = 1 - cosines(reference, all_levels(backbone, cut(other, plan)))
        rows.append([pool(d) for pool in POOLS.values()])
    return np.array(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("weights", type=Path, nargs=2)
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args()
    backbones = [load_backbone(weights=path) for path in options.weights]
    steps = [(kind, level) for kind, (_, levels) in LADDER.items() for level in levels]
    found: list[list[np.ndarray]] = [[], []]
    for image in images(options.archive, options.count):
        shown = [LADDER[kind][0](image, level) for kind, level in steps]
        for side, backbone in zip(found, backbones, strict=True):
            side.append(distances(backbone, image, shown))
    a, b = (np.array(side) for side in found)  # image, step, pool, level
    print(f"{len(a)} images, {len(steps)} degraded versions each\n")
    print("| levels | pool | order | two networks agree | at one level |\n|---|---|---:|---:|---:|")
    for name, (place, pool) in product(level_sets(a.shape[-1] - 2), enumerate(POOLS)):
        combine = level_sets(a.shape[-1] - 2)[name]
        x, y = (np.apply_along_axis(combine, -1, side[:, :, place]) for side in (a, b))
        folded = [side.reshape(len(side), len(LADDER), -1) for side in (x, y)]
        order = np.mean([(np.diff(side, axis=2) > 0).mean() for side in folded])
        agree = spearman(x.ravel(), y.ravel())
        within = np.mean([spearman(x[:, step], y[:, step]) for step in range(x.shape[1])])
        print(f"| {name} | {pool} | {order:.4f} | {agree:.4f} | {within:.4f} |")


if __name__ == "__main__":
    main()
