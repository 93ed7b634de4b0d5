"""Every registered metric of a pair on images that are tiny, flat, or long and narrow, and its claims on photographs.

Truth: the definitions. A value lies in the metric's range, or its reason is given; equal images have the best value;
JPEG of a lower quality is worse; who is symmetric says so. A plug-in's metric is tested without a line of its own.
LPIPS, DISTS and Wasserstein Distortion have random weights of the published layouts, for which all this holds too.
"""

from __future__ import annotations

import io
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from vitiq import registry
from vitiq.image.io import read_image
from vitiq.metrics.base import PairMetric
from vitiq.metrics.perceptual.base import PerceptualMetric
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.types import ImageU8

METRICS = {m.name: m for m in resolve_metrics("all") if isinstance(m, PairMetric)}
NETWORKS = [name for name, m in METRICS.items() if isinstance(m, PerceptualMetric)]
ASYMMETRIC = {"ssimulacra2", "iw-ssim", "vif", "butteraugli", "vmaf", "cvvdp", "brisque", "vit-prob"}
"""Who is called with the reference first for a reason."""

LOOKS = [name for name, m in METRICS.items() if m.kind == "full-reference" and not name.startswith("psnr-u")]
MONOTONE = [*(n for n in LOOKS if n not in {"psnr-v", *NETWORKS}), "vit-tiles"]
"""Of every image. Label metrics are not in it, since mild JPEG may bring a label back, nor the chroma, of which JPEG
keeps little; `test_means_over_photographs_fall_with_the_quality` has all."""


@cache
def photograph(path: Path) -> ImageU8:
    return read_image(path)


def degenerate() -> dict[str, tuple[ImageU8, ImageU8]]:
    rng = np.random.default_rng(0)
    black, white = np.zeros((64, 65, 3), np.uint8), np.full((64, 65, 3), 255, np.uint8)
    pairs = {"black to white": (black, white), "white to black": (white, black), "black": (black, black + np.uint8(1))}
    for height, width in ((1, 1), (5, 7), (2, 9000), (9000, 2), (17, 33)):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        noisy = np.clip(image + rng.integers(-9, 10, image.shape), 0, 255).astype(np.uint8)
        flat = np.full_like(image, 77)
        named = {"noisy": (image, noisy), "flat": (flat, flat + np.uint8(3)), "to flat": (image, flat)}
        named |= {"from flat": (flat, image)}
        pairs |= {f"{width}×{height} {name}": pair for name, pair in named.items()}
    return pairs


@pytest.fixture(scope="session")
def networks(weights: Path) -> dict[str, PairMetric]:
    """The metrics that want weights, with random ones."""
    found = resolve_metrics([f"{name}@{weights}" for name in NETWORKS])
    return {m.name: m for m in found if isinstance(m, PairMetric)}


@pytest.mark.parametrize("name", METRICS)
def test_degenerate_images_have_a_value_or_a_reason(name: str, networks: dict[str, PairMetric]) -> None:
    metric = networks.get(name, METRICS[name])
    low, high = metric.range
    for what, (a, b) in degenerate().items():
        score = score_pair(a, b, [metric])[name]
        if math.isnan(score.value):
            assert str(score.details["undefined"]).strip(), what
        else:
            assert low <= score.value <= high, what
        same = score_pair(a, a.copy(), [metric])[name]
        if metric.kind == "no-reference" or math.isnan(same.value):
            continue
        best = metric.identical if metric.identical is not None else (high if metric.higher_is_better else low)
        assert math.isnan(best) or same.value == pytest.approx(best, abs=1e-6), what


def test_a_long_and_narrow_image_is_not_enlarged_without_end() -> None:
    image = np.zeros((2, 9000, 3), np.uint8)
    for name in ("vit-tiles", "vit-regions"):
        score = score_pair(image, image + np.uint8(1), [METRICS[name]])[name]
        assert "224×1008000" in str(score.details["undefined"]) or "1008000×224" in str(score.details["undefined"])


@given(st.integers(0, 11), st.integers(0, 500), st.integers(0, 250), st.integers(5, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=3, phases=(Phase.generate,), suppress_health_check=list(HealthCheck), deadline=None)
def test_claims_on_photographs(vitiq_data: Path, number: int, left: int, top: int, quality: int, seed: int) -> None:
    paths = sorted((vitiq_data / "kodak_odd").glob("*.png"))
    whole = photograph(paths[number % len(paths)])
    image = np.ascontiguousarray(whole[top % (whole.shape[0] - 255) :, left % (whole.shape[1] - 255) :][:256, :256])
    metrics = list(METRICS.values())
    low, high = (score_pair(image, jpeg(image, q), metrics) for q in (quality, min(95, quality + 30)))
    for name in MONOTONE:
        better, worse = high[name].value, low[name].value
        if math.isnan(better):  # its program or its weights are not found
            continue
        assert better > worse if METRICS[name].higher_is_better else better < worse, (name, better, worse)
    noise = np.random.default_rng(seed).normal(0, 1 + seed % 30, image.shape)
    other = np.clip(image + noise, 0, 255).astype(np.uint8)
    symmetric = [m for name, m in METRICS.items() if name not in ASYMMETRIC]
    there, back = score_pair(image, other, symmetric), score_pair(other, image, symmetric)
    for name, score in there.items():
        assert score.value == pytest.approx(back[name].value, rel=1e-5, abs=1e-6, nan_ok=True), name


def test_means_over_photographs_fall_with_the_quality(vitiq_data: Path, networks: dict[str, PairMetric]) -> None:
    """Every metric of a pair, labels and chroma too; networks on smaller parts, for speed."""
    paths = sorted((vitiq_data / "kodak_odd").glob("*.png"))[::3]
    for metrics, side in (([m for n, m in METRICS.items() if n not in NETWORKS], 256), ([*networks.values()], 96)):
        images = [np.ascontiguousarray(photograph(path)[100 : 100 + side, 200 : 200 + side]) for path in paths]
        scores = {q: [score_pair(image, jpeg(image, q), metrics) for image in images] for q in (4, 20, 80)}
        for metric in metrics:
            means = [float(np.mean([score[metric.name].value for score in found])) for found in scores.values()]
            if not math.isnan(means[0]):  # its program is here
                assert means == sorted(means, reverse=not metric.higher_is_better), metric.name


def test_networks_are_symmetric(vitiq_data: Path, networks: dict[str, PairMetric]) -> None:
    image = np.ascontiguousarray(photograph(sorted((vitiq_data / "kodak_odd").glob("*.png"))[4])[50:147, 60:131])
    there, back = (
        score_pair(*pair, [*networks.values()]) for pair in ((image, jpeg(image, 9)), (jpeg(image, 9), image))
    )
    for name, score in there.items():
        assert score.value == pytest.approx(back[name].value, rel=1e-5), name


def jpeg(image: ImageU8, quality: int) -> ImageU8:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("RGB"))


def test_every_registered_metric_of_a_pair_is_here() -> None:
    assert set(registry.names("metrics")) >= set(METRICS)
    assert len(METRICS) >= 40
