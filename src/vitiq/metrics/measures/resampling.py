"""Linear maps along the rows or the columns of planes (H×P×W), each value from a few neighbours: filters and changes of
size in one product, with edges of any kind, and of any rows alone, so that an image can be gone through in strips.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vitiq.metrics.measures.windows import BLOCK, STRIP, Rows, joined, strips


@dataclass(frozen=True, eq=False)
class AxisMap:
    """Weighted sums of neighbours along one axis.

    Attributes:
        places: of each sum the places it takes; one may come twice.
        weights: of these places.
        step: how many places on the next sum lies, at least about: 2 halves, 0.5 doubles.
    """

    places: Int[Tensor, "n k"]
    weights: Float[Tensor, "n k"]
    step: float

    @cached_property
    def ends(self) -> Int[np.ndarray, "2 n"]:
        """The first and the last place of each sum."""
        return np.stack([self.places.amin(dim=1).numpy(), self.places.amax(dim=1).numpy()])

    def span(self, rows: slice) -> slice:
        """The rows that some rows of the result are made of."""
        first, last = self.ends[:, rows]
        return slice(int(first.min()), int(last.max()) + 1)

    def rows(self, planes: Rows, rows: slice) -> Float[Tensor, "i p w"]:
        """Some rows of the result."""
        # Not kept: small tensors that stay between large ones that go would keep their memory from being used again.
        span = self.span(rows)
        places = self.places[rows] - span.start
        matrix = torch.zeros(len(places), span.stop - span.start, dtype=torch.float64)
        matrix = matrix.scatter_add_(1, places, self.weights[rows]).to(planes)
        return (matrix @ planes[span].flatten(1)).view(len(matrix), *planes.shape[1:])

    @cached_property
    @torch.inference_mode(False)
    def bands(self) -> tuple[int, Float[Tensor, "b k r"]]:
        """Places before the first that the first block of sums would take, and the weights of each block."""
        count, stride = len(self.places), round(BLOCK * self.step)
        blocks = -(-count // BLOCK)
        begin = torch.arange(count) // BLOCK * stride
        before = max(0, int((begin.numpy() - self.ends[0]).max()))
        places = self.places - begin[:, None] + before
        bands = torch.zeros(blocks * BLOCK, int(places.max()) + 1, dtype=torch.float64)
        bands[:count].scatter_add_(1, places, self.weights)
        return before, bands.view(blocks, BLOCK, -1)

    def columns(self, planes: Rows) -> Float[Tensor, "h p j"]:
        """All columns of the result."""
        height, count, width = planes.shape
        before, bands = self.bands
        stride, (blocks, _, reach) = round(BLOCK * self.step), bands.shape
        more = (blocks - 1) * stride + reach - before - width
        lines = F.pad(planes.reshape(height * count, width), (before, max(0, more)))
        windows = lines.unfold(1, reach, stride)[:, :blocks].transpose(0, 1)
        found = torch.bmm(windows, bands.to(planes).transpose(1, 2))
        return found.permute(1, 0, 2).reshape(height, count, -1)[..., : len(self.places)]


def reflected(places: Int[Tensor, ...], size: int) -> Int[Tensor, ...]:
    """Places as in mirrors that stand on the first and on the last."""
    places = places.abs()
    return torch.where(places > size - 1, 2 * (size - 1) - places, places)


@lru_cache(maxsize=128)
@torch.inference_mode(False)  # kept for training too, whoever asks first
def halving(size: int, taps: tuple[float, ...]) -> AxisMap:
    """Every second place of a filter, as in mirrors beyond the ends."""
    reach = len(taps) // 2
    places = torch.arange(0, size, 2)[:, None] + torch.arange(-reach, reach + 1)
    weights = torch.tensor(taps, dtype=torch.float64).expand(len(places), -1)
    return AxisMap(reflected(places, size), weights, 2)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # kept for training too, whoever asks first
def spreading(size: int, count: int, taps: tuple[float, ...]) -> AxisMap:
    """Of `size` places twice as many with zeros between, filtered by five taps; the first `count` of them. Beyond the
    ends stand the second place and, again, the last."""
    place, fine = torch.arange(count)[:, None] // 2, torch.arange(count)[:, None] % 2
    around = place + torch.tensor([-1, 0, 1])
    places = torch.where(around < 0, 1, around.clamp_max(size - 1))
    even, odd = (torch.tensor(t, dtype=torch.float64) for t in ((taps[0], taps[2], taps[4]), (0.0, taps[1], taps[3])))
    return AxisMap(places, torch.where(fine == 0, even, odd), 0.5)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # kept for training too, whoever asks first
def doubling(size: int, count: int, taps: tuple[float, ...]) -> AxisMap:
    """Of `size` places twice as many, linear with the ends in place and filtered as in mirrors; the nearest of these
    for each of `count` places."""
    twice, reach = 2 * size, len(taps) // 2
    nearest = torch.arange(count) * twice // count
    fine = reflected(nearest[:, None] + torch.arange(-reach, reach + 1), twice)
    exact = fine.double() * ((size - 1) / (twice - 1))
    low = exact.floor().clamp(0, max(size - 2, 0))
    share = exact - low
    weights = torch.tensor(taps, dtype=torch.float64)
    places = torch.cat([low, (low + 1).clamp_max(size - 1)], dim=1).long()
    return AxisMap(places, torch.cat([weights * (1 - share), weights * share], dim=1), 0.5)


def halved(planes: Rows, taps: tuple[float, ...], values: int = STRIP) -> Float[Tensor, "i p j"]:
    """The next level of a pyramid: every second row and column by `halving`, in strips of about `values` of a plane."""
    down, across = halving(planes.shape[0], taps), halving(planes.shape[2], taps)
    count = len(down.places)
    return joined((across.columns(down.rows(planes, rows)) for rows in strips(count, planes.shape[2], values)), count)


def less(
    planes: Rows, low: Float[Tensor, "i p j"], maps: tuple[AxisMap, AxisMap], rows: slice
) -> Float[Tensor, "k p w"]:
    """Rows of planes less the next level made larger by maps down and across: a band of a Laplacian pyramid."""
    down, across = maps
    return planes[rows] - across.columns(down.rows(low, rows))
