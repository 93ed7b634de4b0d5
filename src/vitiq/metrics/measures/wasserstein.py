"""Wasserstein Distortion on VGG-16's features: pixels where σ is small, local statistics where it is large.

Qiu, Wagner, Ballé and Theis 2024 (arXiv 2310.03629); Ballé, Versari, Dupont, Kim and Bauer 2025 (arXiv 2412.00505), as
their PyTorch program has it (github.com/balle-lab/wasserstein-distortion): the normalised image and five stages of
VGG-16 with mean pooling, of the image and of two smaller ones; of each feature the squared differences of values and of
means and deviations over windows of 2, 4, … 32, weighed by how near log2 σ is to the window's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.models.perceptual import State, vgg16

SCALES = 3
LEVELS = 5
SMALLEST = 61
"""Pixels a side that leave a value after two halvings and four poolings."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VARIANCE = 1e-8

Map = Float[Tensor, "n c h w"]


def smooth(x: Map, stride: int = 1, padding: int | tuple[int, int] = 1) -> Float[Tensor, "n c i j"]:
    """Binomial window of 3×3, zeros beyond the edges."""
    line = x.new_tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(line, line).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, stride=stride, padding=padding, groups=x.shape[1])


def mean_pool(x: Map) -> Float[Tensor, "n c i j"]:
    """Means of 2×2."""
    return F.avg_pool2d(x, 2)


def normalised(image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """An image in [0, 1] as VGG-16 expects it."""
    mean, scale = (image.new_tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
    return (image - mean) / scale


def deviation(mean: Map, squares: Map) -> Map:
    """Standard deviation of windows, not below a ten-thousandth."""
    return (squares - mean * mean).clamp_min(VARIANCE).sqrt()


def local_log2_sigma(log2_sigma: float, whole: Sequence[int], part: Sequence[int]) -> float:
    """log2 σ in the places of a smaller feature, from 0.

    Args:
        log2_sigma: in pixels of the image.
        whole, part: height and width of the image and of the feature.
    """
    smaller = sum(math.log2(side / own) for side, own in zip(whole, part, strict=True)) / 2
    return max(0.0, log2_sigma - smaller)


def features(trunk: State, image: Float[Tensor, "1 3 h w"]) -> Iterator[Float[Tensor, "1 _ _ _"]]:
    """The normalised image, and the stages of VGG-16 of it and of two smaller ones; image in [0, 1]."""
    x = normalised(image)
    yield x
    for _ in range(SCALES):
        yield from vgg16(trunk, x, mean_pool)
        x = smooth(x, 2)


def _statistics(x: Map) -> Iterator[tuple[Float[Tensor, "n c i j"], Float[Tensor, "n c i j"]]]:
    """Mean and deviation over windows, from the smallest on, each at half the resolution of the one before."""
    squares = x * x
    for _ in range(LEVELS):
        x, squares = smooth(x), smooth(squares)
        yield x, deviation(x, squares)
        x, squares = x[..., ::2, ::2], squares[..., ::2, ::2]


def _distortions(a: Map, b: Map) -> Iterator[Float[Tensor, "n c i j"]]:
    """Squared differences of the values, then of the statistics."""
    yield (a - b).square()
    for (mean_a, deviation_a), (mean_b, deviation_b) in zip(_statistics(a), _statistics(b), strict=True):
        yield (mean_a - mean_b).square() + (deviation_a - deviation_b).square()


def of_features(a: Map, b: Map, log2_sigma: float) -> Float[Tensor, ""]:
    """Distortion of one feature of two images; σ in its own places."""
    where = a.new_full((1, 1, *a.shape[2:]), log2_sigma)
    total = a.new_zeros(())
    for level, found in enumerate(_distortions(a, b)):
        total = total + (F.relu(1 - (where - level).abs()) * found).mean()
        if level:
            where = smooth(where, 2)
    return total


def wasserstein(
    trunk: State, reference: Float[Tensor, "3 h w"], distorted: Float[Tensor, "3 h w"], log2_sigma: float
) -> Float[Tensor, ""]:
    """Wasserstein Distortion of two images in [0, 1] with sides from 61, for one σ everywhere (its log2, in pixels)."""
    total = reference.new_zeros(())
    for a, b in zip(features(trunk, reference[None]), features(trunk, distorted[None]), strict=True):
        total = total + of_features(a, b, local_log2_sigma(log2_sigma, reference.shape[1:], a.shape[2:]))
    return total
