"""Predictions kept by content. Truth: a count of the images that reach the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.backbones.cache import Cache, key_of
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.types import ImageU8

CONFIG = ViTConfig(image_size=32, patch=16, width=64, depth=2, heads=1, classes=200)


class Counting(VisionTransformer):
    """Counts the images it embeds: each forward embeds once."""

    seen = 0

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += len(x)
        return super().embed(x)


def counting() -> tuple[Backbone, Counting]:
    torch.manual_seed(0)
    model = Counting(CONFIG)
    labels = tuple(f"class {i}" for i in range(200))
    return Backbone("counting", model, labels, Preprocessing(32), "0" * 64, 0), model


def versions(count: int) -> list[ImageU8]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(count)]


def test_a_sweep_of_m_reconstructions_costs_m_plus_one_forwards() -> None:
    backbone, model = counting()
    original, *rebuilt = versions(8)
    metrics = resolve_metrics("vit-topk,vit-topk@5,vit-topk-adj,vit-topk-area,vit-rbo,vit-js,vit-bc,vit-prob", backbone)
    for image in rebuilt:
        score_pair(original.copy(), image, metrics)  # content counts, not identity
    assert model.seen == 7 + 1


def test_a_batch_reads_each_different_image_once() -> None:
    backbone, model = counting()
    original, *rebuilt = versions(6)
    metric = resolve_metrics("vit-topk@20", backbone)[0]
    scores = metric.batch([original] * 5, rebuilt)  # type: ignore[attr-defined]
    assert model.seen == 6
    assert [s.value for s in scores] == [metric(original, r).value for r in rebuilt]  # type: ignore[operator]
    assert model.seen == 6


def test_the_same_pixels_in_another_shape_are_another_image() -> None:
    flat = np.arange(2 * 3 * 3, dtype=np.uint8)
    assert key_of(flat.reshape(2, 3, 3)) != key_of(flat.reshape(3, 2, 3))
    assert key_of(flat.reshape(2, 3, 3)) == key_of(flat.copy().reshape(2, 3, 3))


@pytest.mark.parametrize("limit", [1, 25, 10**6])
def test_the_longest_unused_goes_first(limit: int) -> None:
    cache, calls = Cache(limit), []

    def compute(missing: list[ImageU8]) -> list[np.ndarray]:
        calls.append(len(missing))
        return [np.full(1, float(image[0, 0, 0])) for image in missing]

    images = [np.full((1, 1, 3), i, np.uint8) for i in range(4)]
    for _ in range(2):
        assert [float(x[0]) for x in cache.get("kind", images, compute)] == [0, 1, 2, 3]
    # 8 bytes an entry: one is kept, three are, all are
    assert calls == {1: [4, 3], 25: [4, 1], 10**6: [4]}[limit]
