"""Sums over sliding windows of torch planes by banded matrix products, as `fidelity.windows` does for numpy.

Planes lie side by side (H×P×W), so that one product filters all of them down. Everything has a gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

BLOCK = 16
"""Sums of a block: about the fastest for windows of 5 to 17."""

STRIP = 2**15
"""Values of a plane in a strip: more do not stay in the cache, fewer are not worth the calls."""

Rows = Float[Tensor, "h p w"]


def strips(rows: int, width: int, values: int = STRIP) -> Iterator[slice]:
    """Some rows at a time, about `values` of a plane, so that memory does not grow with the image."""
    step = max(BLOCK, values // width // BLOCK * BLOCK)
    for top in range(0, rows, step):
        yield slice(top, min(top + step, rows))


def joined(pieces: Iterator[Rows], rows: int) -> Float[Tensor, "k p w"]:
    """Rows that come in strips as one tensor; without gradients each strip is let go as soon as it is copied."""
    first = next(pieces)
    if first.requires_grad:
        return torch.cat([first, *pieces])
    found = first.new_empty(rows, *first.shape[1:])
    top = 0
    for piece in chain((first,), pieces):
        found[top : top + len(piece)] = piece
        top += len(piece)
    return found


@lru_cache(maxsize=128)
@torch.inference_mode(False)  # kept for training too, whoever asks first
def _band(taps: tuple[float, ...], stride: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "b r"]:
    band = torch.zeros(BLOCK, (BLOCK - 1) * stride + len(taps), dtype=torch.float64)
    for place in range(BLOCK):
        band[place, place * stride : place * stride + len(taps)] = torch.tensor(taps, dtype=torch.float64)
    return band.to(device, dtype)


def _padded(size: int, taps: int, stride: int) -> tuple[int, int, int]:
    """Sums, blocks of them, and the values that have to be added at the end for whole blocks."""
    sums = (size - taps) // stride + 1
    blocks = -(-sums // BLOCK)
    return sums, blocks, max(0, (blocks * BLOCK - 1) * stride + taps - size)


def down(planes: Rows, taps: tuple[float, ...], stride: int = 1) -> Float[Tensor, "i p w"]:
    """Weighted sums of `len(taps)` rows, every `stride` rows, of the windows that lie inside."""
    height, count, width = planes.shape
    sums, blocks, more = _padded(height, len(taps), stride)
    band = _band(taps, stride, planes.dtype, planes.device)
    flat = F.pad(planes.reshape(height, count * width), (0, 0, 0, more))
    windows = flat.unfold(0, band.shape[1], BLOCK * stride).transpose(1, 2)
    found = torch.bmm(band.expand(blocks, -1, -1), windows)
    return found.reshape(-1, count, width)[:sums]


def across(planes: Rows, taps: tuple[float, ...], stride: int = 1) -> Float[Tensor, "h p j"]:
    """As `down`, of columns."""
    height, count, width = planes.shape
    sums, blocks, more = _padded(width, len(taps), stride)
    band = _band(taps, stride, planes.dtype, planes.device)
    lines = F.pad(planes.reshape(height * count, width), (0, more))
    windows = lines.unfold(1, band.shape[1], BLOCK * stride).transpose(0, 1)
    found = torch.bmm(windows, band.T.expand(blocks, -1, -1))
    return found.permute(1, 0, 2).reshape(height, count, -1)[..., :sums]


def window_sums(planes: Rows, taps: tuple[float, ...], stride: int = 1) -> Float[Tensor, "i p j"]:
    """Sums over windows of taps × taps that lie inside, H - k + 1 rows and W - k + 1 columns for a stride of 1."""
    return across(down(planes, taps, stride), taps, stride)
