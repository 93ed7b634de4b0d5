"""DISTS: means and correlations of VGG-16 features, so that one texture may stand for another.

Ding et al. 2020, DOI 10.1109/TPAMI.2020.3045810; as the authors' program, pictures whose short side is above 256 are
resized to 256 (bilinear, antialiased) first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitiq.errors import WeightsError
from vitiq.image.geometry import resize
from vitiq.metrics.perceptual import PerceptualMetric
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from vitiq.models.perceptual import Features

SHORT_SIDE = 256
CHANNELS = (3, 64, 128, 256, 512, 512)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL = 1e-6


def distance(own: dict[str, Tensor], features: Features) -> Tensor:
    """1 - Σ α l(x, y) + β s(x, y) with weights that sum to 1, written so that equal features give exactly 0."""
    import torch  # noqa: PLC0415 - imported where used

    weights = [own[name].flatten() for name in ("alpha", "beta")]
    total = weights[0].sum() + weights[1].sum()
    alphas, betas = (torch.split(w, list(CHANNELS)) for w in weights)
    lost = total.new_zeros(())
    for values, alpha, beta in zip(features, alphas, betas, strict=True):
        means = values.mean(dim=(2, 3))
        centred = values - means[:, :, None, None]
        (mx, my), (vx, vy) = means, centred.square().mean(dim=(2, 3))
        covariance = (centred[0] * centred[1]).mean(dim=(1, 2))
        luminance = (2 * mx * my + SMALL) / (mx * mx + my * my + SMALL)
        structure = (2 * covariance + SMALL) / (vx + vy + SMALL)
        lost = lost + (alpha * (1 - luminance)).sum() + (beta * (1 - structure)).sum()
    return lost / total


class Dists(PerceptualMetric):
    """Deep Image Structure and Texture Similarity, a distance."""

    name = "dists"
    title = "DISTS"
    range = (0.0, 2.0)
    reference = "Ding et al. 2020, DOI 10.1109/TPAMI.2020.3045810"
    formula = "1 - Σ α l(x, y) + β s(x, y) over the channels of the picture and of VGG-16"
    models = ("dists", "vgg16-torchvision")
    smallest = 16
    settings = "vgg16-l2pool|short-side:256-bilinear"

    def tensor(self, reference: ImageU8, distorted: ImageU8) -> Float[Tensor, "2 3 h w"]:
        """Both pictures, 0 … 1, the short side at most 256."""
        height, width, _ = reference.shape
        short = min(height, width)
        if short > SHORT_SIDE:
            sides = SHORT_SIDE * width // short, SHORT_SIDE * height // short
            reference, distorted = (resize(image, *sides, "bilinear") for image in (reference, distorted))
        return super().tensor(reference, distorted)

    @staticmethod
    def check(own: dict[str, Tensor], trunk: dict[str, Tensor]) -> None:
        """α and β of 1475 channels, and torchvision's VGG-16."""
        from vitiq.models.perceptual import VGG16, check_trunk  # noqa: PLC0415 - torch

        check_trunk(trunk, VGG16, "VGG-16")
        for name in ("alpha", "beta"):
            found = own[name].numel() if name in own else None
            if found != sum(CHANNELS):
                raise WeightsError(f"DISTS: {name} has {found} weights, {sum(CHANNELS)} expected")

    @staticmethod
    def measure(own: dict[str, Tensor], trunk: dict[str, Tensor], pair: Float[Tensor, "2 3 h w"]) -> Tensor:
        """As `distance` on the picture and VGG-16's features."""
        from vitiq.models.perceptual import l2_pool, vgg16  # noqa: PLC0415 - torch

        mean, deviation = (pair.new_tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
        return distance(own, [pair, *vgg16(trunk, (pair - mean) / deviation, l2_pool)])
