"""The embedded ViT: how faithfully it reads images, and how fast."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from goals import ROOT, Figure, best, kodak, needed, scores, short, teachers
from PIL import Image, ImageFilter
from scipy.stats import spearmanr
from vit_fidelity import overlap, top

from vitiq.models.backbones import Backbone, load_backbone
from vitiq.models.backbones.packed import PackedViT
from vitiq.models.backbones.precision import label_overlap, native_bfloat16, probe_images
from vitiq.models.vit import VisionTransformer
from vitiq.training.data import ImageSet
from vitiq.training.recipes.vit import VitTrainingConfig
from vitiq.training.vit_views import view
from vitiq.types import ImageU8

LEVELS = {
    "JPEG": (2, 5, 10, 25, 60),
    "WEBP": (0, 10, 30, 60, 90),
    "AVIF": (5, 20, 35, 50, 70),
    "blur": (0.7, 1.5, 3.0, 5.0, 8.0),
    "noise": (5, 10, 20, 40, 80),
}


def distorted(image: ImageU8, kind: str, level: float) -> ImageU8:
    """An image as a codec, a blur (pixels) or noise (levels) leaves it."""
    if kind == "noise":
        noise = np.random.default_rng(0).normal(0, level, image.shape)
        return np.clip(image + noise, 0, 255).round().astype(np.uint8)
    pil = Image.fromarray(image)
    if kind == "blur":
        return np.asarray(pil.filter(ImageFilter.GaussianBlur(level)))
    buffer = io.BytesIO()
    pil.save(buffer, kind, quality=int(level), **({"speed": 6} if kind == "AVIF" else {}))
    return np.asarray(Image.open(buffer).convert("RGB"))


def part(data: Path) -> Iterator[Figure]:
    """Agreement with both teachers, correlation of ViT-Scores, speed."""
    own, real = load_backbone(), teachers(data)
    config = VitTrainingConfig.load()
    images = ImageSet.open([needed(data / "train")], ROOT / "build" / "images", short_side=256)
    _, held_out = images.split(config.held_out)
    views = [view(np.random.default_rng([config.seed, i]), images[i], 224, 0.0) for i in held_out]
    lists = {short(b): top(b.logits(views)) for b in (own, *real)}
    mine = lists.pop(short(own))
    for name, theirs in lists.items():
        asked = name == "DeiT-Ti"
        same = float((mine[:, 0] == theirs[:, 0]).mean())
        note = f"{len(views)} held-out views"
        yield Figure(f"ViT: top-1 agreement with {name}", 100 * same, 60 if asked else None, unit=" %", note=note)
        shared = float(overlap(mine, theirs).mean())
        yield Figure(f"ViT: top-100 overlap with {name}", shared, 0.6 if asked else None, note=note)

    originals = kodak(data)
    pairs = [(x, distorted(x, kind, v)) for kind, values in LEVELS.items() for v in values for x in originals]
    befores, afters = [p[0] for p in pairs], [p[1] for p in pairs]
    found = {short(b): scores(b, befores, afters) for b in (own, *real)}
    for a, b in combinations(found, 2):
        value = float(spearmanr(found[a], found[b]).statistic)
        goal = 0.9 if a == short(own) else None
        yield Figure(f"ViT-Score: Spearman of {a} and {b}", value, goal, note=f"{len(pairs)} distorted Kodak images")

    yield from speed(own)


def speed(own: Backbone) -> Iterator[Figure]:
    """Images a second: as scores run, alike on every machine, and in bfloat16 where the processor multiplies it."""
    assert isinstance(own.model, VisionTransformer)
    model, batch, note = own.model, torch.rand(8, 3, 224, 224), "batches of 8 on 2 threads, best of 20"
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    with torch.inference_mode():
        exact = PackedViT(model, torch.float32)
        plain = 8 / best(lambda: model.classify(exact.forward_class(batch)), 20)[0]
        if native_bfloat16():
            packed = PackedViT(model, torch.bfloat16)
            fast = 8 / best(lambda: model.classify(packed.forward_class(batch)), 20)[0]
            kept = f"keeps {label_overlap(model, probe_images(224)):.2%} of float32's top 100"
    torch.set_num_threads(threads)
    yield Figure("ViT: images/s in float32, as scores are computed", plain, 150, note=note)
    if native_bfloat16():
        yield Figure("ViT: images/s in bfloat16", fast, 150, note=f"{note}; {kept}")
