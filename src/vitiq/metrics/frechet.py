"""Distances between sets of pictures: Fréchet distance and KID of ViT features of patches, and the thesis's "FID".

A distance between two Gaussians needs sets: with few pictures, patches stand in for them, and fewer samples than
dimensions are refused. None of these is the FID of the literature (InceptionV3 on thousands of pictures), so none is
called so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64

from vitiq.errors import InputError
from vitiq.image.geometry import patches, resize
from vitiq.metrics.base import PairMetric
from vitiq.metrics.rows import RowMetric, Rows
from vitiq.metrics.sizes import check_sizes
from vitiq.types import ImageU8, Score

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone

PATCH, STRIDE = 128, 64


def frechet_distance(a: Float64[np.ndarray, "n d"], b: Float64[np.ndarray, "m d"]) -> float:
    """Fréchet distance of Gaussians fitted to two sets (Dowson & Landau 1982, DOI 10.1016/0047-259X(82)90077-X).

    |μa - μb|² + tr(Σa + Σb - 2 (Σa Σb)^½); the trace of the root is the sum of the singular values of Xa Xbᵀ,
    with X the centred samples over √(n - 1), so no matrix root is taken; long X are replaced by their triangular
    factors, which have the same singular values. Exactly 0 for identical sets.
    """
    if np.array_equal(a, b):
        return 0.0
    mean = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    xa = (a - a.mean(axis=0)) / np.sqrt(len(a) - 1)
    xb = (b - b.mean(axis=0)) / np.sqrt(len(b) - 1)
    if len(a) > a.shape[1]:
        xa, xb = np.linalg.qr(xa, mode="r"), np.linalg.qr(xb, mode="r")
    root = np.linalg.svd(xa @ xb.T, compute_uv=False).sum()
    return max(0.0, float(mean + np.square(xa).sum() + np.square(xb).sum() - 2 * root))


def kernel_distance(a: Float64[np.ndarray, "n d"], b: Float64[np.ndarray, "m d"]) -> float:
    """Unbiased squared MMD with the kernel (x·y / d + 1)³ (Bińkowski et al. 2018, arXiv 1801.01401)."""
    d = a.shape[1]

    def kernel(x: Float64[np.ndarray, "i d"], y: Float64[np.ndarray, "j d"]) -> Float64[np.ndarray, "i j"]:
        return np.asarray((x @ y.T / d + 1) ** 3)

    def within(x: Float64[np.ndarray, "i d"]) -> float:
        k, n = kernel(x, x), len(x)
        return float((k.sum() - np.trace(k)) / (n * (n - 1)))

    return within(a) + within(b) - 2 * float(kernel(a, b).mean())


class FrechetPixel(PairMetric):
    """What the thesis calls FID: the Fréchet distance of raw RGBA pixels of one pair, kept for comparison.

    The 512×512×4 values of a picture (alpha 255) are reshaped to 2048 samples of 512 numbers, as the original does.
    """

    name = "frechet-pixel"
    title = 'Fréchet distance of pixels (the thesis\'s "FID")'
    range = (0.0, np.inf)
    higher_is_better = False
    kind = "full-reference"
    reference = "Minchev 2022, master's thesis, UT Austin; not the FID of Heusel et al. 2017"
    formula = "Fréchet distance of RGBA bytes reshaped to 2048×512"

    def signature(self) -> str:
        """Size and layout."""
        return "frechet-pixel|resize:bicubic-512|rgba:2048x512|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Distance of one pair; pictures of other sizes are resized to 512×512 first."""
        check_sizes(reference, distorted)
        return Score(frechet_distance(_samples(reference), _samples(distorted)), self.signature())


def _samples(image: ImageU8) -> Float64[np.ndarray, "n d"]:
    square = resize(image, 512, 512, "bicubic")
    alpha = np.full((512, 512, 1), 255, np.uint8)
    return np.concatenate([square, alpha], axis=2).reshape(2048, 512).astype(np.float64)


class PatchMetric(RowMetric):
    """What the patch metrics share: patches of all pictures, read by the embedded ViT.

    Args:
        backbone: None for the embedded ViT, loaded at first use.
    """

    kind = "distribution"

    def __init__(self, backbone: Backbone | None = None) -> None:
        self._backbone = backbone

    @property
    def backbone(self) -> Backbone:
        """The backbone that reads the patches."""
        if self._backbone is None:
            from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

            self._backbone = load_backbone()
        return self._backbone

    def signature(self) -> str:
        """Patches and backbone."""
        return f"{self.name}|patch:{PATCH}|stride:{STRIDE}|{self.backbone.signature()}|v1"

    def rows_key(self) -> str:
        """Class tokens of patches."""
        return f"features|patch:{PATCH}|stride:{STRIDE}|{self.backbone.signature()}"

    def rows(self, image: ImageU8) -> Float32[np.ndarray, "n d"]:
        """One class token a patch."""
        found = patches(image, PATCH, STRIDE)
        return self.backbone.features(found) if found else np.zeros((0, 0), np.float32)


class PatchFidVit(PatchMetric):
    """Fréchet distance of class tokens of patches."""

    name = "patch-fid-vit"
    title = "Fréchet distance of ViT features of patches"
    range = (0.0, np.inf)
    higher_is_better = False
    reference = "Heusel et al. 2017, arXiv 1706.08500, with another network and patches"
    formula = "Fréchet distance of the ViT's class tokens of 128×128 patches"

    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Distance of two sets.

        Raises:
            InputError: not more patches than dimensions.
        """
        dimensions = reference.width
        if min(reference.count, distorted.count) <= dimensions or not dimensions:
            raise InputError(
                f"{reference.count} and {distorted.count} patches of {PATCH}×{PATCH} given, more than {dimensions} "
                f"expected (the ViT's dimensions); give more or larger pictures, or use patch-kid-vit or the metrics "
                f"of single pictures"
            )
        value = frechet_distance(reference.array.astype(np.float64), distorted.array.astype(np.float64))
        return Score(value, self.signature(), {"samples": distorted.count, "dimensions": dimensions})


class PatchKidVit(PatchMetric):
    """Kernel distance of class tokens of patches; unbiased, so fit for few samples."""

    name = "patch-kid-vit"
    title = "Kernel distance of ViT features of patches"
    range = (-np.inf, np.inf)
    higher_is_better = False
    reference = "Bińkowski et al. 2018, arXiv 1801.01401, with another network and patches"
    formula = "unbiased MMD² with kernel (x·y/d + 1)³ of the ViT's class tokens of 128×128 patches"

    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Distance of two sets.

        Raises:
            InputError: fewer than two patches a set.
        """
        if min(reference.count, distorted.count) < 2:
            raise InputError(
                f"{reference.count} and {distorted.count} patches of {PATCH}×{PATCH} given, at least 2 expected; give "
                f"larger pictures"
            )
        value = kernel_distance(reference.array.astype(np.float64), distorted.array.astype(np.float64))
        return Score(value, self.signature(), {"samples": distorted.count})
