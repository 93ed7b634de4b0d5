"""Torch losses of LPIPS, DISTS and Wasserstein Distortion; they ask for the weights that the metrics ask for.

`scores` are the values of the metrics on the same pixels within 1e-5 in float32; DISTS of images whose short side is
above 256 within 5e-3, since torch's antialiased bilinear resize takes the place of Pillow's on 8-bit images.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.loss import DistanceLoss, Each, Images
from vitiq.metrics.perceptual.base import PerceptualMetric
from vitiq.metrics.perceptual.dists import SHORT_SIDE, Dists
from vitiq.metrics.perceptual.lpips import LpipsAlex, LpipsVgg
from vitiq.metrics.perceptual.wasserstein import SIGMA, Wasserstein


class PerceptualLoss(DistanceLoss):
    """A distance of features of a frozen network.

    Args:
        folder: where the weights files lie; None for the folder that `vitiq models fetch` fills.

    Raises:
        WeightsError: they are not there, or of another layout.
    """

    of: ClassVar[type[PerceptualMetric]]

    def __init__(self, folder: str | Path | None = None) -> None:
        super().__init__()
        self._hold(self.of(folder))

    def _hold(self, metric: PerceptualMetric) -> None:
        own, trunk = metric.states
        for name, value in own.items():
            self.register_buffer(f"own:{name}".replace(".", "/"), value, persistent=False)
        for name, value in trunk.items():
            self.register_buffer(f"trunk:{name}".replace(".", "/"), value, persistent=False)

    def _state(self, part: str, like: Tensor) -> dict[str, Tensor]:
        found = ((name.replace("/", "."), value) for name, value in self.named_buffers())
        return {name.removeprefix(part): value.to(like) for name, value in found if name.startswith(part)}

    def _compare(self, distorted: Images, reference: Images) -> Each:
        own, trunk = self._state("own:", distorted), self._state("trunk:", distorted)
        pairs = zip(self._sized(reference), self._sized(distorted), strict=True)
        return torch.stack([self.of.measure(own, trunk, torch.stack(pair)) for pair in pairs])

    def _sized(self, images: Images) -> Float[Tensor, "n 3 i j"]:
        return images


class LpipsLoss(PerceptualLoss):
    """LPIPS on AlexNet (Zhang et al. 2018, DOI 10.1109/CVPR.2018.00068)."""

    metric, of, smallest = "lpips", LpipsAlex, LpipsAlex.smallest


class LpipsVggLoss(PerceptualLoss):
    """LPIPS on VGG-16, the authors' choice as a loss."""

    metric, of, smallest = "lpips-vgg", LpipsVgg, LpipsVgg.smallest


class DistsLoss(PerceptualLoss):
    """DISTS (Ding et al. 2020, DOI 10.1109/TPAMI.2020.3045810)."""

    metric, of, smallest = "dists", Dists, Dists.smallest

    def _sized(self, images: Images) -> Float[Tensor, "n 3 i j"]:
        height, width = images.shape[2:]
        short = min(height, width)
        if short <= SHORT_SIDE:
            return images
        size = (SHORT_SIDE * height // short, SHORT_SIDE * width // short)
        return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


class WassersteinLoss(PerceptualLoss):
    """Wasserstein Distortion (Qiu et al. 2024, arXiv 2310.03629), in which one texture may stand for another.

    Args:
        folder: where VGG-16's weights lie; None for the folder that `vitiq models fetch` fills.
        sigma: size in pixels, 1 to 32, of the windows over which only means and deviations count.
    """

    metric, of, smallest = "wasserstein", Wasserstein, Wasserstein.smallest

    def __init__(self, folder: str | Path | None = None, sigma: float = SIGMA) -> None:
        DistanceLoss.__init__(self)
        self._hold(Wasserstein(folder, sigma))
