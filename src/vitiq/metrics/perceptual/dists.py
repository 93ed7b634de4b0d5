"""DISTS: means and correlations of VGG-16 features, so that one texture may stand for another.

Ding et al. 2020, DOI 10.1109/TPAMI.2020.3045810; as the authors' program, images whose short side is above 256 are
resized to 256 (bilinear, antialiased) first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitiq.errors import WeightsError
from vitiq.image.geometry import resize
from vitiq.metrics.perceptual.base import PerceptualMetric
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from vitiq.models.perceptual import Features

SHORT_SIDE = 256
CHANNELS = (3, 64, 128, 256, 512, 512)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL = 1e-6

VALUES = 2**16
"""Features at a time: what is made of them stays in the cache."""


def distance(own: dict[str, Tensor], reference: Features, distorted: Features) -> Tensor:
    """1 - Σ α l(x, y) + β s(x, y) with weights that sum to 1, written so that equal features give exactly 0.

    1 - l = (μx - μy)² / (μx² + μy² + c) and 1 - s = var(x - y) / (var x + var y + c), with population variances.
    """
    import torch  # noqa: PLC0415 - imported where used

    weights = [own[name].flatten() for name in ("alpha", "beta")]
    total = weights[0].sum() + weights[1].sum()
    alphas, betas = (torch.split(w, list(CHANNELS)) for w in weights)
    lost = total.new_zeros(())
    for x, y, alpha, beta in zip(reference, distorted, alphas, betas, strict=True):
        (mx, my), (vx, vy, vd) = _moments(x, y)
        luminance = (mx - my).square() / (mx * mx + my * my + SMALL)
        structure = vd / (vx + vy + SMALL)
        lost = lost + (alpha * luminance).sum() + (beta * structure).sum()
    return lost / total


def _moments(
    x: Float[Tensor, "1 c h w"], y: Float[Tensor, "1 c h w"]
) -> tuple[Float[Tensor, "2 c"], Float[Tensor, "3 c"]]:
    """Means of each channel of x and y, and variances of x, y and x - y."""
    import torch  # noqa: PLC0415 - imported where used

    mx, my = (values.mean(dim=(2, 3), keepdim=True) for values in (x, y))
    _, channels, height, width = x.shape
    sums = x.new_zeros((3, channels))
    step = max(1, VALUES // (channels * width))
    for top in range(0, height, step):
        rows = slice(top, top + step)
        a, b = x[:, :, rows] - mx, y[:, :, rows] - my
        sums = sums + torch.cat([part.square().sum(dim=(2, 3)) for part in (a, b, a - b)])
    return torch.cat([mx, my])[:, :, 0, 0], sums / (height * width)


class Dists(PerceptualMetric):
    """Deep Image Structure and Texture Similarity, a distance."""

    name = "dists"
    title = "DISTS"
    range = (0.0, 2.0)
    reference = "Ding et al. 2020, DOI 10.1109/TPAMI.2020.3045810"
    formula = "1 - Σ α l(x, y) + β s(x, y) over the channels of the image and of VGG-16"
    models = ("dists", "vgg16-torchvision")
    smallest = 16
    settings = "vgg16-l2pool|short-side:256-bilinear"

    def tensor(self, reference: ImageU8, distorted: ImageU8) -> Float[Tensor, "2 3 h w"]:
        """Both images, 0 … 1, the short side at most 256."""
        height, width, _ = reference.shape
        short = min(height, width)
        if short > SHORT_SIDE:
            sides = SHORT_SIDE * width // short, SHORT_SIDE * height // short
            reference, distorted = (resize(image, *sides, "bilinear") for image in (reference, distorted))
        return super().tensor(reference, distorted)

    @classmethod
    def by_rows(cls, _own: dict[str, Tensor], _trunk: dict[str, Tensor], _size: tuple[int, int]) -> None:
        """None: `tensor` makes a large image small."""

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
        """As `distance` on the image and VGG-16's features."""
        from vitiq.models.perceptual import l2_pool, vgg16  # noqa: PLC0415 - torch

        mean, deviation = (pair.new_tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
        images = pair[:1], pair[1:]  # one after the other: smaller tensors, whose memory is used again
        features = [[image, *vgg16(trunk, (image - mean) / deviation, l2_pool)] for image in images]
        return distance(own, *features)
