"""The regional ViT-Score. Truth: the formula written down again, and what it is for: one place that is another one."""

from __future__ import annotations

import numpy as np
import pytest
from forced_choice.changes import jpeg, other_object

from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.metrics.semantic.tiles import cut, level_distances, tiling
from vitiq.metrics.semantic.vit_regions import VitRegions, worst_places
from vitiq.models.backbones import load_backbone
from vitiq.types import ImageU8


def test_the_formula() -> None:
    distances = np.random.default_rng(0).uniform(0.01, 1.2, (3, 4, 25))
    places = [
        np.sqrt(distances[t, 0, p] * np.prod(distances[t, 1:, p]) ** (1 / 3)) for t in range(3) for p in range(25)
    ]
    wanted = (sum(place**16 for place in places) / 75) ** (1 / 16)
    assert worst_places(distances) == pytest.approx(wanted, rel=1e-12)
    assert worst_places(distances * 0) == 0
    assert worst_places(distances * 1e-30) == pytest.approx(wanted * 1e-30, rel=1e-9), "no underflow of the 16th power"


def test_one_place_counts_where_the_mean_forgives_it(bundled: dict[str, ImageU8]) -> None:
    image = np.ascontiguousarray(bundled["building"][:320, :320])
    swapped = other_object(image, (0.4, 0.4, 0.62, 0.62), bundled["animal"], (0.2, 0.25, 0.5, 0.5))
    damaged = jpeg(image, 12)
    metrics = resolve_metrics("vit-regions,vit-tiles")
    same, other, worse = (score_pair(image, one, metrics) for one in (image, swapped, damaged))
    assert same["vit-regions"].value == pytest.approx(1, abs=1e-3)
    assert other["vit-regions"].value < worse["vit-regions"].value
    assert other["vit-tiles"].value > worse["vit-tiles"].value, "the mean over the image says the opposite"
    assert "pool:power16" in same["vit-regions"].signature
    backbone = load_backbone()
    plan = tiling(320, 320, backbone.image_size)
    levels = [backbone.levels(cut(one, plan)) for one in (image, swapped)]
    wanted = 1 - worst_places(level_distances(*levels))
    assert VitRegions(backbone)(image, swapped).value == pytest.approx(wanted, abs=1e-6)
