"""What ViT-Scores forgive and SSIM does not, and the other way round: one change at a time on real images.

    python benchmarks/vit_against_ssim.py KODAK --weights vit_tiny.safetensors

Means over the images, as Markdown. The first changes keep what an image shows; of the last two, one removes its
middle, where what it shows usually is, and the other is JPEG at quality 10 for scale.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from inputs import asked
from PIL import Image, ImageFilter

from vitiq.image.geometry import resize
from vitiq.metrics.scoring import score_pair
from vitiq.types import ImageU8

METRICS = "ssim,ms-ssim,psnr-rgb,vit-topk,vit-cls,vit-tokens,vit-tiles"


def shift(image: ImageU8) -> ImageU8:
    return np.roll(image, 3, axis=1)


def zoom(image: ImageU8) -> ImageU8:
    height, width, _ = image.shape
    y, x = height // 50, width // 50
    return resize(np.ascontiguousarray(image[y : height - y, x : width - x]), width, height, "bicubic")


def brighten(image: ImageU8) -> ImageU8:
    levels: ImageU8 = np.clip(np.rint(image * 1.15), 0, 255).astype(np.uint8)
    return levels


def grain(image: ImageU8) -> ImageU8:
    drawn = np.random.default_rng(0).normal(0, 12, image.shape[:2])[..., None]
    return np.clip(np.rint(image + drawn), 0, 255).astype(np.uint8)


def blur(image: ImageU8) -> ImageU8:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(3)))


def without_middle(image: ImageU8) -> ImageU8:
    height, width, _ = image.shape
    place = np.s_[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    out = image.copy()
    out[place] = image[place].mean(axis=(0, 1)).round().astype(np.uint8)
    return out


def jpeg(image: ImageU8) -> ImageU8:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=10)
    return np.asarray(Image.open(buffer).convert("RGB"))


CHANGES: dict[str, Callable[[ImageU8], ImageU8]] = {
    "shifted by 3 pixels": shift,
    "zoomed by 4 %": zoom,
    "15 % brighter": brighten,
    "grain, σ = 12": grain,
    "blurred, σ = 3": blur,
    "middle ninth removed": without_middle,
    "JPEG, quality 10": jpeg,
}


def main() -> None:
    """Print the table."""
    images, metrics = asked(__doc__, METRICS)
    print(f"| {len(images)} images | " + " | ".join(m.name for m in metrics) + " |")
    print("|---|" + "---:|" * len(metrics))
    for name, change in CHANGES.items():
        rows = [score_pair(image, change(image), metrics) for image in images]
        means = (np.mean([row[m.name].value for row in rows]) for m in metrics)
        print(f"| {name} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")


if __name__ == "__main__":
    main()
