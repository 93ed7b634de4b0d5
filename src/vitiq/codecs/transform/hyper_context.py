"""Context of the hyper-latents, in floating point (training and refinement): each is predicted from its neighbours.

Hyper-latents are coded coarse to fine: those of every fourth row and column first, by their quality alone, then what
lies between them in six passes, each from the 5×5 neighbours (at its distance) that are coded already, all channels of
a position together. What a pass adds to the fixed distributions starts as nothing. The integer twin is
`hyper_context_integer.py`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

WIDTH = 96
"""Features of a pass."""

REACH = 2
"""Neighbours on each side."""

CENTRED_CLIP = 64.0
"""Differences to what is expected are clipped to this before a network reads them."""

HYPER_CLIP = 255.0
ACTIVATION_CLIP = 4096.0
"""Bounds of what is read and of features, which bound the integer twin's sums."""

PASSES = 7
COARSE = 4
"""Passes from 0 to COARSE - 1 fill every second row and column; their neighbours are two apart."""

Tap = tuple[int, int]


def pass_of(rows: Int64[np.ndarray, " i"], columns: Int64[np.ndarray, " j"]) -> Int64[np.ndarray, "i j"]:
    """In which pass each position is coded, 0 … PASSES - 1.

    Example:
        >>> pass_of(np.arange(4), np.arange(4)).tolist()
        [[0, 5, 2, 5], [6, 4, 6, 4], [3, 5, 1, 5], [6, 4, 6, 4]]
    """
    y, x = rows[:, None], columns[None]
    coarse = np.where(y % 4 == 0, np.where(x % 4 == 0, 0, 2), np.where(x % 4 == 0, 3, 1))
    fine = np.where(y % 2 == 0, 5, np.where(x % 2 == 0, 6, 4))
    return np.where((y % 2 == 0) & (x % 2 == 0), coarse, fine).astype(np.int64)


@lru_cache(maxsize=PASSES)
def taps_of(number: int) -> tuple[Tap, ...]:
    """Where the neighbours lie that a pass reads, away from borders: (down, right).

    Example:
        >>> taps_of(4)
        ((-1, -1), (-1, 1), (1, -1), (1, 1))
        >>> [len(taps_of(number)) for number in range(PASSES)]
        [0, 4, 12, 16, 4, 12, 16]
    """
    if number == 0:
        return ()
    step = 2 if number < COARSE else 1
    grid = np.arange(16)
    when = pass_of(grid, grid)
    start = np.argwhere(when[8:12, 8:12] == number)[0] + 8
    offsets = [(step * dy, step * dx) for dy in range(-REACH, REACH + 1) for dx in range(-REACH, REACH + 1)]
    return tuple((dy, dx) for dy, dx in offsets if when[start[0] + dy, start[1] + dx] < number)


def mirrored(at: Int64[np.ndarray, " i"], count: int) -> Int64[np.ndarray, " i"]:
    """Positions beyond a side of `count` as their mirror images, which keeps even and odd; then the nearest."""
    folded = np.abs(at)
    folded = np.where(folded >= count, 2 * (count - 1) - folded, folded)
    return np.asarray(np.clip(folded, 0, count - 1))


@lru_cache(maxsize=256)
def neighbours(number: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a pass reads on a grid.

    Returns:
        Flat positions of the pass (n), of the neighbours of each (taps × n), and whether these are coded before it.
    """
    when = pass_of(np.arange(height), np.arange(width))
    y, x = np.nonzero(when == number)
    near = np.array(taps_of(number), dtype=np.int64).reshape(-1, 2)
    rows = mirrored((y[None] + near[:, :1]).reshape(-1), height)
    columns = mirrored((x[None] + near[:, 1:]).reshape(-1), width)
    known = (when[rows, columns] < number).reshape(len(near), len(y))
    return y * width + x, (rows * width + columns).reshape(len(near), len(y)), known


class PassContext(nn.Module):
    """What one pass adds to mean and log-scale of its hyper-latents.

    Args:
        taps: neighbours that it reads.
        channels: of the hyper-latents.
    """

    def __init__(self, taps: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.always = nn.Linear(3, 2 * channels, bias=False)
        nn.init.zeros_(self.always.weight)
        self.taps = taps
        if taps:
            self.linear = nn.Parameter(torch.zeros(taps, channels))
            self.near = nn.Linear(2 * taps * channels, WIDTH, bias=False)
            self.quality = nn.Linear(3, WIDTH, bias=False)
            self.hidden = nn.Linear(WIDTH, WIDTH)
            self.out = nn.Linear(WIDTH, 2 * channels, bias=False)
            nn.init.zeros_(self.out.weight)

    def forward(
        self,
        centred: Float[Tensor, "n taps p z"],
        known: Float[Tensor, "taps p"],
        quality: Float[Tensor, "n 3"],
    ) -> tuple[Float[Tensor, "n p z"], Float[Tensor, "n p z"]]:
        """Changes of mean and log-scale.

        Args:
            centred: neighbours less their means by the quality alone.
            known: 1 where a neighbour is coded, else 0.
        """
        change, expected = self.always(quality)[:, None], torch.zeros(1, device=centred.device, dtype=centred.dtype)
        if self.taps:
            mask = known[None, :, :, None]
            expected = (centred * mask * self.linear[:, None]).sum(dim=1)
            left = (centred - expected[:, None]).clamp(-CENTRED_CLIP, CENTRED_CLIP) * mask
            sizes = centred.abs().clamp(max=CENTRED_CLIP) * mask
            read = torch.cat([left, sizes], dim=3).permute(0, 2, 1, 3).flatten(2)
            x = (self.near(read) + self.quality(quality)[:, None]).clamp(0, ACTIVATION_CLIP)
            change = change + self.out(self.hidden(x).clamp(0, ACTIVATION_CLIP))
        mean, log_scale = change.expand(-1, centred.shape[2], -1).chunk(2, dim=2)
        return mean + expected, log_scale


class HyperContext(nn.Module):
    """Mean and log-scale of hyper-latents from those that are coded before them.

    Args:
        channels: of the hyper-latents.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.passes = nn.ModuleList(PassContext(len(taps_of(number)), channels) for number in range(PASSES))

    def forward(
        self, hyper: Float[Tensor, "n z i j"], mean: Float[Tensor, "n z"], quality: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n z i j"], Float[Tensor, "n z i j"]]:
        """What to add to the mean and the log-scale that the quality alone gives.

        Args:
            hyper: symbols that the context is read from.
            mean: of each channel by the quality alone.
        """
        height, width = hyper.shape[2:]
        flat = hyper.clamp(-HYPER_CLIP, HYPER_CLIP).flatten(2).transpose(1, 2) - mean[:, None]
        parts, order = [], []
        for number, module in enumerate(self.passes):
            positions, near, known = neighbours(number, height, width)
            if len(positions) == 0:
                continue
            read = flat[:, torch.from_numpy(near).to(hyper.device)]
            parts.append(torch.cat(module(read, torch.from_numpy(known).to(hyper), quality), dim=2))
            order.append(positions)
        back = torch.from_numpy(np.argsort(np.concatenate(order))).to(hyper.device)
        found = torch.cat(parts, dim=1)[:, back].transpose(1, 2).reshape(len(hyper), -1, height, width)
        change_mean, change_scale = found.chunk(2, dim=1)
        return change_mean, change_scale
