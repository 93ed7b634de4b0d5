"""Wasserstein Distortion of images that come by rows; `wasserstein` has the definition, on whole images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.measures.wasserstein import (
    LEVELS,
    SCALES,
    deviation,
    local_log2_sigma,
    mean_pool,
    normalised,
    smooth,
)
from vitiq.models.perceptual import VGG16_STAGES, State, vgg16_rows
from vitiq.models.row_stream import Node, Rows, Window

Size = tuple[int, int]
BY_ROWS = (0, 1)
"""Zeros beyond the left and right edges; `Window` has those above and below."""


class WassersteinRows:
    """`wasserstein` of rows in [0, 1], a batch of the reference and the distorted image.

    Args:
        trunk: VGG-16.
        size: height and width, from 61.
        log2_sigma: of σ in pixels, the same everywhere.
    """

    def __init__(self, trunk: State, size: Size, log2_sigma: float) -> None:
        def feature(part: Size) -> Feature:
            found = Feature(part, local_log2_sigma(log2_sigma, size, part))
            self._features.append(found)
            return found

        self._features: list[Feature] = []
        self._nodes: list[Node] = [feature(size)]
        scales = [size]
        for _ in range(SCALES - 1):
            scales.append((-(-scales[-1][0] // 2), -(-scales[-1][1] // 2)))
        smaller: list[Node] = []
        for height, width in reversed(scales):
            stages = [feature((height >> stage, width >> stage)) for stage in range(len(VGG16_STAGES))]
            nodes = [vgg16_rows(trunk, stages, mean_pool)]
            if smaller:
                nodes.append(Window(lambda rows: smooth(rows, 2, BY_ROWS), 3, 2, 1, smaller))
            smaller = nodes
        self._nodes += smaller

    def __call__(self, rows: Rows, last: bool) -> None:
        """Count some rows in."""
        rows = normalised(rows)
        for node in self._nodes:
            node(rows, last)

    def value(self) -> float:
        """The distortion, once all rows are in."""
        return sum(feature.value() for feature in self._features)


class Feature:
    """`of_features` of the features of two images that come by rows.

    Args:
        size: height and width of the feature.
        log2_sigma: in its own places.
    """

    def __init__(self, size: Size, log2_sigma: float) -> None:
        self._values = LevelMean(0, size, log2_sigma)
        self._means: list[LevelMean] = []
        above: list[Node] = []
        for level in range(LEVELS, 0, -1):
            if level >= log2_sigma + 1:
                continue  # σ is too small for this window everywhere: its weight is 0
            mean = LevelMean(level, size, log2_sigma)
            self._means.append(mean)
            halve = [Window(lambda rows: rows[..., ::2, ::2], 1, 2, 0, above)] if above else []
            above = [Window(lambda rows: smooth(rows, 1, BY_ROWS), 3, 1, 1, [mean.add_statistics, *halve])]
        self._nodes = tuple(above)

    def __call__(self, rows: Rows, last: bool) -> None:
        """Count some rows in."""
        self._values.add((rows[:1] - rows[1:]).square())
        if self._nodes:
            both = torch.cat([rows, rows * rows], dim=1)
            for node in self._nodes:
                node(both, last)

    def value(self) -> float:
        """The distortion of this feature."""
        return self._values.value() + sum(mean.value() for mean in self._means)


class LevelMean:
    """Mean over places and channels of what one level finds, weighed by how near log2 σ is to the level.

    σ is the same everywhere and smoothed with zeros beyond the edges, which is the product of one line down and one
    line along.

    Args:
        level: 0 for values, from 1 for windows.
        size: height and width of the feature at level 0.
    """

    def __init__(self, level: int, size: Size, log2_sigma: float) -> None:
        self._level, self._log2_sigma = level, log2_sigma
        self._down, self._along = (_line(length, max(0, level - 1)) for length in size)
        self._top, self._total, self._count = 0, 0.0, 0

    def add(self, found: Rows) -> None:
        """Count some rows in."""
        _, channels, height, width = found.shape
        down = self._down[self._top : self._top + height] * self._log2_sigma
        weights = F.relu(1 - (torch.outer(down, self._along) - self._level).abs())
        self._total += float((found.sum(dim=(0, 1)) * weights).sum(dtype=torch.float64))
        self._count += channels * height * width
        self._top += height

    def add_statistics(self, rows: Rows, _: bool) -> None:
        """Count some rows of smoothed values, and behind them in channels their smoothed squares, in."""
        mean, squares = rows.chunk(2, dim=1)
        spread = deviation(mean, squares)
        self.add((mean[:1] - mean[1:]).square() + (spread[:1] - spread[1:]).square())

    def value(self) -> float:
        """The weighted mean."""
        return self._total / self._count


def _line(length: int, times: int) -> Float[Tensor, " n"]:
    """Ones, smoothed and halved some times with zeros beyond the ends."""
    line = torch.ones(1, 1, length)
    for _ in range(times):
        line = F.conv1d(line, line.new_tensor([[[0.25, 0.5, 0.25]]]), stride=2, padding=1)
    return line[0, 0]
