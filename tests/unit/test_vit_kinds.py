"""ViT-Scores of grey images, panoramas, drawings and screenshots, and thumbnails.

Truth: JPEG of an image shows more of it than another image does. The figures on photographs: benchmarks/vit_kinds.py.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from scripts import script_module
from vitiq.metrics.scoring import resolve_metrics, score_pairs
from vitiq.types import ImageU8


def jpeg(image: ImageU8, quality: int) -> ImageU8:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def of_kind(kind: str, bundled: dict[str, ImageU8]) -> list[ImageU8]:
    """Images of one size."""
    photographs = [np.ascontiguousarray(bundled[name][::2, ::2]) for name in ("animal", "building", "portrait")]
    if kind == "grey":
        return [np.repeat(image[..., 1:2], 3, axis=2) for image in photographs]
    if kind == "panorama":
        return [np.ascontiguousarray(image[100 : 100 + image.shape[1] // 10]) for image in photographs]
    if kind == "upright panorama":
        return [np.ascontiguousarray(image[:, 100 : 100 + image.shape[0] // 10]) for image in photographs]
    if kind == "thumbnail":
        return [np.asarray(Image.fromarray(image).resize((64, 64))) for image in photographs]
    drawn = script_module("benchmarks/drawn.py").drawings()
    return [np.asarray(drawn[name].resize((384, 256))) for name in ("page", "window", "icons")]


@pytest.mark.parametrize("kind", ["grey", "panorama", "upright panorama", "thumbnail", "drawing"])
def test_jpeg_is_above_another_image_of_its_kind(kind: str, bundled: dict[str, ImageU8]) -> None:
    images = of_kind(kind, bundled)
    metrics = resolve_metrics("vit-topk,vit-cls,vit-tokens,vit-tiles,vit-regions")
    same = score_pairs(images, [jpeg(image, 30) for image in images], metrics)
    other = score_pairs(images, [*images[1:], images[0]], metrics)
    for metric in metrics:
        worst, best = min(one[metric.name].value for one in same), max(one[metric.name].value for one in other)
        assert worst > best, metric.name
