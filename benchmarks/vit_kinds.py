"""ViT-Scores of what is no photograph of usual shape: grey, panoramas, thumbnails, drawings and screenshots.

    python benchmarks/vit_kinds.py KODAK [--weights vit_tiny.safetensors]

Means over the images of a kind, as Markdown: JPEG at two qualities, and another image of the kind, which says what
"shows something else" scores there. Photographs are KODAK's of 768×512 pixels; the other kinds are made of them,
drawings by `drawn.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from drawn import drawings
from inputs import asked
from PIL import Image

from vitiq.image.geometry import resize
from vitiq.metrics.scoring import score_pairs
from vitiq.types import ImageU8

METRICS = "vit-topk,vit-cls,vit-tokens,vit-tiles,vit-regions,ssim"


def grey(image: ImageU8) -> ImageU8:
    return np.asarray(Image.fromarray(image).convert("L").convert("RGB"))


def thumbnail(image: ImageU8, side: int) -> ImageU8:
    """The middle square of 768×512 pixels, made small."""
    return resize(np.ascontiguousarray(image[:, 128:640]), side, side, "bicubic")


def jpeg(image: ImageU8, quality: int) -> ImageU8:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer, formats=["JPEG"]).convert("RGB"))


def kinds(photographs: Sequence[ImageU8]) -> dict[str, list[ImageU8]]:
    """Images of one size in each kind."""
    wide = [image for image in photographs if image.shape[:2] == (512, 768)]
    return {
        "photographs, 768×512": wide,
        "the same in grey": [grey(image) for image in wide],
        "panoramas, 768×76": [np.ascontiguousarray(image[218:294]) for image in wide],
        "thumbnails, 64×64": [thumbnail(image, 64) for image in wide],
        "thumbnails, 16×16": [thumbnail(image, 16) for image in wide],
        "thumbnails, 8×8": [thumbnail(image, 8) for image in wide],
        "drawings and screenshots": [np.asarray(image) for image in drawings().values()],
    }


CHANGES: dict[str, Callable[[list[ImageU8]], list[ImageU8]]] = {
    "JPEG, quality 50": lambda images: [jpeg(image, 50) for image in images],
    "JPEG, quality 10": lambda images: [jpeg(image, 10) for image in images],
    "another of the kind": lambda images: [*images[1:], images[0]],
}


def main() -> None:
    """Print the table."""
    images, metrics = asked(__doc__, METRICS)
    found = kinds(images)
    print("| images | scored against | " + " | ".join(f"`{m.name}`" for m in metrics) + " |")
    print("|---|---|" + "---:|" * len(metrics))
    for kind, images in found.items():
        for place, (change, make) in enumerate(CHANGES.items()):
            rows = score_pairs(images, make(images), metrics)
            means = [np.mean([row[m.name].value for row in rows]) for m in metrics]
            cells = " | ".join("–" if np.isnan(mean) else f"{mean:.2f}" for mean in means)
            print(f"| {f'{len(images)} {kind}' if not place else ''} | {change} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
