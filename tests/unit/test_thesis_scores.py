"""The thesis's four pairs with the real ViT-Ti. Truth: Minchev 2022, Table 3.1's order Kliment > Logo > Bevo > Tower,
and the ViT-Scores 0.54, 0.42, 0.28, 0.04 measured outside the project with the same weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitiq.image.io import read_image
from vitiq.metrics.base import PairMetric
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.semantic.label_overlap import Overlap
from vitiq.models.backbones import load_backbone
from vitiq.types import ImageU8, Score

NAMES = ("kliment", "logo", "bevo", "tower")
Pair = tuple[ImageU8, ImageU8]


@pytest.fixture(scope="module")
def pairs(vitiq_data: Path) -> list[Pair]:
    def read(name: str, kind: str) -> ImageU8:
        return read_image(vitiq_data / "thesis_pairs" / f"{name}_{kind}_218x219.png")

    return [(read(name, "original"), read(name, "gan")) for name in NAMES]


def scores(vitiq_data: Path, pairs: list[Pair], name: str) -> list[Score]:
    weights = vitiq_data / "weights" / "vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors"
    metric = resolve_metrics(name, load_backbone(weights=weights))[0]
    assert isinstance(metric, PairMetric)
    return metric.batch([a for a, _ in pairs], [b for _, b in pairs])


def test_the_published_variant_with_its_chance(vitiq_data: Path, pairs: list[Pair]) -> None:
    found = scores(vitiq_data, pairs, "vit-topk")
    assert [s.value for s in found] == pytest.approx([0.54, 0.42, 0.28, 0.04], abs=0.011)
    p_values = [float(str(s.details["p_value"])) for s in found]
    assert p_values == sorted(p_values)
    assert p_values[2] < 1e-6, "Bevo's 0.28 is not chance"
    assert p_values[3] > 0.9, "Tower's 0.04 is below chance"


@pytest.mark.parametrize(
    "name", ["vit-topk@10%", "vit-topk@200", "vit-topk-adj", "vit-topk-area", "vit-rbo", "vit-js", "vit-bc", "vit-prob"]
)
def test_label_variants_keep_the_order(vitiq_data: Path, pairs: list[Pair], name: str) -> None:
    assert (np.diff([s.value for s in scores(vitiq_data, pairs, name)]) < 0).all()


@pytest.mark.parametrize("name", ["vit-cls", "vit-tokens", "vit-tokens-locked", "vit-tiles"])
def test_every_variant_puts_the_tower_last(vitiq_data: Path, pairs: list[Pair], name: str) -> None:
    values = [s.value for s in scores(vitiq_data, pairs, name)]
    assert min(values) == values[3]


def test_the_published_scores_against_chance() -> None:
    kliment, logo, bevo, tower = (Overlap(shared, 100, 1000).p_value for shared in (54, 29, 14, 3))
    assert kliment < 1e-30
    assert logo < 1e-7
    assert bevo > 0.05, "0.14 is not distinguishable from chance"
    assert tower > 0.99, "0.03 is below chance"
