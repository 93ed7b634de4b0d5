"""Metrics against outside values.

Truth: scikit-image 0.26.0 (structural_similarity with gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
data_range=255, channel_axis=2), scipy 1.17 (hypergeom), torchmetrics 1.9.0 (MS-SSIM, normalize=None), the
thesis's Tables 3.1-3.3, and `brisque` of the official values for distorted images of TID2013.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom
from skimage.metrics import structural_similarity

from vitiq.codecs.classical.pillow import Jpeg
from vitiq.errors import InputError
from vitiq.image.geometry import resize
from vitiq.image.io import read_image
from vitiq.metrics.fidelity.ms_ssim import MsSsim
from vitiq.metrics.fidelity.pixel import Mse, PsnrRgb
from vitiq.metrics.fidelity.ssim import Ssim
from vitiq.metrics.perceptual.brisque import Brisque
from vitiq.metrics.semantic.label_overlap import Overlap, overlap, shared_table
from vitiq.metrics.semantic.vit_score import VitTopK
from vitiq.metrics.sets.frechet import FrechetPixel
from vitiq.models.backbones import load_backbone
from vitiq.models.top_labels import top_labels
from vitiq.types import ImageU8, Quality

THESIS = {  # SSIM, MSE, PSNR (Table 3.3), "FID", and ViT-Score of the real ViT-Ti at 224 px
    "bevo": (0.26, 3479.34, 12.68, 1241999.9, 0.28),
    "kliment": (0.56, 1759.28, 15.64, 549089.5, 0.54),
    "logo": (0.91, 393.69, 22.15, 81105.2, 0.42),
    "tower": (0.53, 1315.75, 16.90, 331171.6, 0.04),
}


def jpeg(image: ImageU8, quality: int) -> ImageU8:
    codec = Jpeg()
    return codec.decode(codec.encode(image, Quality(quality)))


def test_ssim_is_scikit_images(bundled: dict[str, ImageU8]) -> None:
    for image in bundled.values():
        other = jpeg(image, 10)
        expected = structural_similarity(  # type: ignore[no-untyped-call]
            image, other, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert Ssim()(image, other).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_ms_ssim_is_torchmetrics(bundled: dict[str, ImageU8]) -> None:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as reference

    image = bundled["portrait"]
    other = jpeg(image, 10)
    tensors = [torch.from_numpy(x.copy()).permute(2, 0, 1)[None].double() for x in (image, other)]
    expected = float(reference(tensors[1], tensors[0], data_range=255.0, normalize=None))
    # torchmetrics means over channels before it multiplies the scales.
    assert MsSsim()(image, other).value == pytest.approx(expected, abs=2e-3)


def test_identical_images(bundled: dict[str, ImageU8]) -> None:
    image = bundled["building"]
    assert Mse()(image, image).value == 0
    assert PsnrRgb()(image, image).value == math.inf
    assert Ssim()(image, image).value == 1
    assert MsSsim()(image, image).value == 1
    assert FrechetPixel()(image, image).value == 0
    score = VitTopK()(image, image)
    assert score.value == 1
    assert score.details["chance"] == 0.1


def test_mse_by_hand() -> None:
    a = np.zeros((1, 2, 3), np.uint8)
    b = np.array([[[255, 0, 0], [0, 0, 3]]], np.uint8)
    assert Mse()(a, b).value == (255**2 + 9) / 6


def test_small_and_unequal_images_are_reported() -> None:
    tiny = np.zeros((1, 1, 3), np.uint8)
    for metric in (Ssim(), MsSsim(), Brisque()):
        with pytest.raises(InputError, match="at least"):
            metric(tiny, tiny)
    with pytest.raises(InputError, match="same size"):
        Mse()(tiny, np.zeros((2, 1, 3), np.uint8))
    flat = np.full((64, 64, 3), 9, np.uint8)
    with pytest.raises(InputError, match="flat"):
        Brisque()(flat, flat)
    assert Ssim()(flat, flat).value == pytest.approx(1, abs=1e-12)


def test_label_overlap_by_hand() -> None:
    p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.4, 0.2, 0.3])
    assert top_labels(p, 2).tolist() == [0, 1]
    assert top_labels(np.array([0.2, 0.4, 0.4]), 2).tolist() == [1, 2]  # ties: lower index first
    assert overlap(p, q, 2) == Overlap(1, 2, 4)
    assert overlap(p, q, 4).score == 1
    assert math.isnan(overlap(p, q, 4).adjusted)
    assert Overlap(1, 2, 4).adjusted == 0
    assert shared_table(p, q, ("a", "b", "c", "d"), 2) == [
        {"label": "b", "original": 0.3, "reconstruction": 0.4, "difference": pytest.approx(0.1)}
    ]
    with pytest.raises(InputError, match="K = 5"):
        overlap(p, q, 5)
    published = Overlap(14, 100, 1000)
    assert published.chance == 0.1
    assert published.chance_deviation == pytest.approx(0.028, abs=5e-4)  # the 2.8 % of the text
    assert published.p_value == pytest.approx(sum(hypergeom.pmf(k, 1000, 100, 100) for k in range(14, 101)))
    assert published.p_value > 0.05


@given(st.integers(1, 60), st.integers(0, 2**31))
def test_label_overlap_properties(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.random(60), rng.random(60)
    one, other = overlap(p, q, k), overlap(q, p, k)
    assert one == other
    assert 0 <= one.score <= 1
    assert overlap(p, p, k).score == 1
    assert 0 <= one.p_value <= 1
    if k < 60:
        assert overlap(p, q, k + 1).shared >= one.shared


def sharp_logo(original: ImageU8, gan: ImageU8) -> tuple[ImageU8, ImageU8]:
    """The logo at 512×512 from its 218-pixel figures.

    The thesis measured 512×512 files, of which its figures hold smaller cuts. Photographs keep nearly the same values,
    but a flat graphic of two colours loses its edges: its MSE is then above 12 % off. So the edges are drawn again.
    """
    large = resize(original, 2048, 2048, "bicubic").astype(np.int64)
    colours = np.array([(254, 254, 254), (190, 86, 0)])
    distance = np.stack([np.square(large - colour).sum(axis=2) for colour in colours])
    return resize(colours.astype(np.uint8)[distance.argmin(axis=0)], 512, 512, "box"), resize(gan, 512, 512, "bicubic")


@pytest.mark.parametrize("name", sorted(THESIS))
def test_thesis_pairs(vitiq_data: Path, name: str) -> None:
    """The thesis's figures (218×219) stand for its 512×512 originals: within 12 %."""
    a, b = (read_image(vitiq_data / "thesis_pairs" / f"{name}_{kind}_218x219.png") for kind in ("original", "gan"))
    ssim, mse, psnr, fid, vit = THESIS[name]
    one, other = sharp_logo(a, b) if name == "logo" else (a, b)
    assert Ssim()(one, other).value == pytest.approx(ssim, rel=0.12)
    assert Mse()(one, other).value == pytest.approx(mse, rel=0.12)
    assert PsnrRgb()(one, other).value == pytest.approx(psnr, rel=0.12)
    assert FrechetPixel()(a, b).value == pytest.approx(fid, rel=0.2)
    weights = vitiq_data / "weights" / "vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors"
    assert VitTopK(load_backbone(weights=weights))(a, b).value == pytest.approx(vit, abs=0.02)
