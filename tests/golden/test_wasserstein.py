"""Wasserstein Distortion against its authors' PyTorch program, and what it claims.

Truth: data/wasserstein.json, which names the program, its commit, the call and the command that wrote it
(benchmarks/wasserstein.py); VGG-16 has random weights of a fixed seed. Textures: arithmetic on shuffled pixels.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scripts import script_module
from vitiq.errors import InputError, WeightsError
from vitiq.metrics.base import PairMetric
from vitiq.metrics.perceptual.wasserstein import Wasserstein
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.types import ImageU8

GOLDEN = json.loads((Path(__file__).parent / "data" / "wasserstein.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sigma", [1.0, 4.0, 16.0, 32.0])
def test_values_are_the_program_s(weights: Path, sigma: float, bundled: dict[str, ImageU8]) -> None:
    pairs = script_module("benchmarks/inputs.py").small_pairs(bundled)
    assert list(pairs) == list(GOLDEN["values"])
    metric = Wasserstein(weights, sigma)
    for name, pair in pairs.items():
        # Float32 convolutions round differently from CPU to CPU: up to 6e-5 of the value where colours are flat.
        near = 1e-4 if name.startswith("graphic") else 1e-5
        assert metric(*pair).value == pytest.approx(GOLDEN["values"][name][f"{sigma:g}"], rel=near), name


def test_one_texture_stands_for_another(weights: Path) -> None:
    """Pixels shuffled within a noisy image change what pixels say and not what windows say."""
    rng = np.random.default_rng(0)
    image, other = (rng.integers(0, 256, (96, 96, 3), dtype=np.uint8) for _ in range(2))
    blurred = ((image.astype(np.uint16) + np.roll(image, 1, 0) + np.roll(image, 1, 1)) // 3).astype(np.uint8)
    pixels, statistics = Wasserstein(weights, 1), Wasserstein(weights, 16)
    assert pixels(image, other).value > pixels(image, blurred).value
    assert statistics(image, other).value < statistics(image, blurred).value


def test_sizes_and_equal_images(weights: Path, small: ImageU8) -> None:
    metric = Wasserstein(weights)
    assert metric(small, small).value == 0
    flat = small * 0
    assert metric(flat, flat + 255).value > 0
    with pytest.raises(InputError, match="sides of at least 61"):
        metric(small[:60], small[:60])
    smallest = np.ascontiguousarray(small[:61, :61])
    assert 0 < metric(smallest, smallest ^ np.uint8(8)).value < metric(smallest, smallest ^ np.uint8(64)).value


def test_settings_of_the_key(weights: Path, small: ImageU8, tmp_path: Path) -> None:
    names = {m.name: m.signature() for m in resolve_metrics("wasserstein,wasserstein@4,wasserstein@16")}
    assert list(names) == ["wasserstein", "wasserstein@4"]
    assert "sigma:16|" in names["wasserstein"]
    assert "sigma:4|" in names["wasserstein@4"]
    metric = resolve_metrics(f"wasserstein@{weights}")[0]
    assert isinstance(metric, PairMetric)
    assert metric.name == "wasserstein"
    assert "missing" not in metric.signature()
    assert metric(small, small ^ np.uint8(8)).value > 0
    for given in ("0", "33", "nan", "-1"):
        with pytest.raises(InputError, match="1 to 32"):
            resolve_metrics(f"wasserstein@{given}")
    score = score_pair(small, small, resolve_metrics(f"wasserstein@{tmp_path}"))["wasserstein"]
    assert "vitiq models fetch vgg16-torchvision" in str(score.details["undefined"])
    (tmp_path / "vgg16-397923af.pth").symlink_to(weights / "alexnet-owt-7be5be79.pth")
    with pytest.raises(WeightsError, match="torchvision's layout"):
        Wasserstein(tmp_path)(small, small)
