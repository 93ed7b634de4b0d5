"""Torch losses of the metrics of fidelity: MSE and its kin, PSNR, SSIM, MS-SSIM.

`scores` are the values of the metrics on the same pixels, within 1e-5 (PSNR: 1e-4 dB) in float32. Errors are minimised
on the scale of [0, 1]; `scores` are on that of 0 … 255, as the metrics are.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.image.colour import THOUSANDTHS
from vitiq.metrics.fidelity.ms_ssim import SCALE_WEIGHTS, SMALLEST
from vitiq.metrics.fidelity.pixel import DATA_RANGE
from vitiq.metrics.fidelity.ssim import UNIFORM, WANG, Window
from vitiq.metrics.loss import DistanceLoss, Each, Given, Images, Loss

LEAST = 1e-12
"""Mean squared error of [0, 1] below which PSNR and RMSE stay what they are (120 dB): their slope has no end at 0."""

C1, C2 = 0.01**2, 0.03**2

Planes = Float[Tensor, "n c h w"]


def luma(images: Images) -> Float[Tensor, "n 1 h w"]:
    """0.299 R + 0.587 G + 0.114 B."""
    weights = images.new_tensor(THOUSANDTHS.tolist()) / 1000
    return (images * weights[:, None, None]).sum(dim=1, keepdim=True)


class MseLoss(DistanceLoss):
    """Mean squared error of R, G and B; minimised on the scale of [0, 1]."""

    metric = "mse"

    def forward(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
        """Mean of (x - y)² over all images, 0 … 1."""
        return self.scores(distorted, reference).mean() / DATA_RANGE**2

    def _compare(self, distorted: Images, reference: Images) -> Each:
        return (distorted - reference).square().mean(dim=(1, 2, 3)) * DATA_RANGE**2


class RmseLoss(DistanceLoss):
    """Root of the mean squared error; minimised on the scale of [0, 1]."""

    metric = "rmse"

    def forward(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
        """Mean of the images' RMSE, 0 … 1."""
        return self.scores(distorted, reference).mean() / DATA_RANGE

    def _compare(self, distorted: Images, reference: Images) -> Each:
        return (distorted - reference).square().mean(dim=(1, 2, 3)).clamp_min(LEAST).sqrt() * DATA_RANGE


class MaeLoss(DistanceLoss):
    """Mean absolute error; minimised on the scale of [0, 1]."""

    metric = "mae"

    def forward(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
        """Mean of |x - y| over all images, 0 … 1."""
        return self.scores(distorted, reference).mean() / DATA_RANGE

    def _compare(self, distorted: Images, reference: Images) -> Each:
        return (distorted - reference).abs().mean(dim=(1, 2, 3)) * DATA_RANGE


class PsnrRgbLoss(Loss):
    """Peak signal-to-noise ratio in dB, negated; identical images have 120 dB instead of infinitely many."""

    metric = "psnr-rgb"

    def forward(self, distorted: Given, reference: Given) -> Float[Tensor, ""]:
        """Minus the mean of the images' PSNR, in dB."""
        return -self.scores(distorted, reference).mean()

    def _compare(self, distorted: Images, reference: Images) -> Each:
        errors = (self._planes(distorted) - self._planes(reference)).square().mean(dim=(1, 2, 3))
        return -10 * errors.clamp_min(LEAST).log10()

    def _planes(self, images: Images) -> Planes:
        return images


class PsnrYLoss(PsnrRgbLoss):
    """As `PsnrRgbLoss`, of the luma."""

    metric = "psnr-y"

    def _planes(self, images: Images) -> Planes:
        return luma(images)


def window_means(planes: Planes, window: Window) -> Float[Tensor, "n c i j"]:
    """Weighted means over every window that lies inside."""
    taps = planes.new_tensor(window.taps)
    n, c, h, w = planes.shape
    rows = F.conv2d(planes.reshape(n * c, 1, h, w), taps[None, None, :, None])
    means = F.conv2d(rows, taps[None, None, None, :])
    return means.view(n, c, *means.shape[2:])


def similarity(a: Planes, b: Planes, window: Window = WANG) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n c"]]:
    """Mean SSIM of each channel, and of its contrast-structure part (`fidelity.ssim`), of images in [0, 1]."""
    mean_a, mean_b = window_means(a, window), window_means(b, window)
    k = window.correction
    var_a = (window_means(a * a, window) - mean_a**2) * k
    var_b = (window_means(b * b, window) - mean_b**2) * k
    covariance = (window_means(a * b, window) - mean_a * mean_b) * k
    structure = (2 * covariance + C2) / (var_a + var_b + C2)
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return (luminance * structure).mean(dim=(2, 3)), structure.mean(dim=(2, 3))


class SsimLoss(Loss):
    """1 - SSIM in Wang et al.'s setting, mean of R, G and B (2004, DOI 10.1109/TIP.2003.819861)."""

    metric = "ssim"
    smallest = WANG.size
    window: ClassVar[Window] = WANG

    def _compare(self, distorted: Images, reference: Images) -> Each:
        return similarity(self._planes(distorted), self._planes(reference), self.window)[0].mean(dim=1)

    def _planes(self, images: Images) -> Planes:
        return images


class SsimYLoss(SsimLoss):
    """As `SsimLoss`, of the luma."""

    metric = "ssim-y"

    def _planes(self, images: Images) -> Planes:
        return luma(images)


class SsimSkimageLoss(SsimLoss):
    """As `SsimLoss`, in scikit-image's default setting."""

    metric = "ssim-skimage"
    smallest = UNIFORM.size
    window = UNIFORM


class MsSsimLoss(Loss):
    """1 - MS-SSIM of five scales, mean of R, G and B (Wang et al. 2003, DOI 10.1109/ACSSC.2003.1292216)."""

    metric = "ms-ssim"
    smallest = SMALLEST

    def _compare(self, distorted: Images, reference: Images) -> Each:
        a, b = self._planes(distorted), self._planes(reference)
        product = a.new_ones(a.shape[:2])
        for scale, weight in enumerate(SCALE_WEIGHTS):
            if scale:
                a, b = halve(a), halve(b)
            full, structure = similarity(a, b)
            mean = full if scale == len(SCALE_WEIGHTS) - 1 else structure
            # The root of 0 has a slope without end: below 0 the product is 0, and so is the slope.
            product = product * torch.where(mean > 0, mean.clamp_min(LEAST) ** weight, 0.0)
        return product.mean(dim=1)

    def _planes(self, images: Images) -> Planes:
        return images


class MsSsimYLoss(MsSsimLoss):
    """As `MsSsimLoss`, of the luma."""

    metric = "ms-ssim-y"

    def _planes(self, images: Images) -> Planes:
        return luma(images)


def halve(planes: Planes) -> Float[Tensor, "n c i j"]:
    """Means of 2×2 blocks; an odd last row or column counts twice."""
    height, width = planes.shape[2:]
    return F.avg_pool2d(F.pad(planes, (0, width % 2, 0, height % 2), mode="replicate"), 2)
