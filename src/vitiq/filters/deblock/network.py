"""The network that corrects the planes of a JPEG: blocks of coefficients at stride 8, finer pixels at stride 4.

It reads a plane three ways: decoded pixels (stride 4), dequantised coefficients, and whether the file kept a
coefficient at all (stride 8); and the file's own quantisation table, which scales and shifts the features of each
residual block (FiLM, Perez et al. 2018, arXiv 1709.07871), so that one network serves all qualities and encoders
(QGAC, Ehrlich et al. 2020, arXiv 2004.09320). What it gives is an offset of every coefficient in quantisation steps,
so that the projection into the quantisation intervals is a clamp to ±½.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.filters.deblock.dct import to_coefficients, to_planes

FINE = 4
"""Stride of the finer features in pixels."""

SPREAD = 64.0
"""Pixels and coefficients are read as value / SPREAD."""

TABLE_WIDTH = 64
"""Features of a quantisation table."""

HALF = 0.5
"""Half a quantisation step: what rounding can have taken."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Size of a network.

    Attributes:
        planes: that are corrected together.
        guides: further planes of pixels that are read.
        fine, wide: feature channels at strides 4 and 8.
        before, middle, after: residual blocks at stride 4, at 8, and at 4 again.
    """

    planes: int
    guides: int
    fine: int
    wide: int
    before: int
    middle: int
    after: int


LUMA = Layout(planes=1, guides=0, fine=64, wide=128, before=1, middle=4, after=2)
CHROMA = Layout(planes=2, guides=1, fine=48, wide=64, before=1, middle=2, after=1)


class Residual(nn.Module):
    """x + conv(relu(film(conv(x)))), near the identity at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(TABLE_WIDTH, 2 * width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)
        with torch.no_grad():
            self.second.weight.mul_(0.3)

    def forward(self, x: Float[Tensor, "n c h w"], table: Float[Tensor, "n t"]) -> Float[Tensor, "n c h w"]:
        """Same shape as `x`; `table`: features of the quantisation table."""
        scale, shift = self.film(table)[:, :, None, None].chunk(2, dim=1)
        change: Tensor = self.second(F.relu(torch.addcmul(shift, self.first(x), 1 + scale)))
        return x + change


class PlaneCorrector(nn.Module):
    """Offsets of the coefficients of planes that share a resolution.

    Args:
        layout: its size.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        planes, fine, wide = layout.planes, layout.fine, layout.wide
        area = FINE * FINE
        self.table = nn.Sequential(
            nn.Linear(64, TABLE_WIDTH), nn.ReLU(), nn.Linear(TABLE_WIDTH, TABLE_WIDTH), nn.ReLU()
        )
        self.pixels = nn.Conv2d(area * (planes + layout.guides), fine, 3, padding=1)
        # Where a cell of 4×4 pixels lies in its block of 8×8.
        self.phase = nn.Parameter(torch.zeros(1, fine, 2, 2))
        self.before = nn.ModuleList(Residual(fine) for _ in range(layout.before))
        self.down = nn.Conv2d(4 * fine, wide, 1)
        self.coefficients = nn.Conv2d(128 * planes, wide, 1)
        self.middle = nn.ModuleList(Residual(wide) for _ in range(layout.middle))
        self.steps = nn.Conv2d(wide, 64 * planes, 1)
        self.up = nn.Conv2d(wide, 4 * fine, 1)
        self.after = nn.ModuleList(Residual(fine) for _ in range(layout.after))
        self.values = nn.Conv2d(fine, area * planes, 3, padding=1)
        for layer in (self.steps, self.values):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(
        self,
        quantised: Float[Tensor, "n p 64 i j"],
        tables: Float[Tensor, "n p 64"],
        guides: Float[Tensor, "n g h w"] | None = None,
    ) -> Float[Tensor, "n p 64 i j"]:
        """What to add to the quantised coefficients, in steps, not yet within ±½.

        Args:
            quantised: coefficients as the file holds them, in steps.
            tables: steps of the coefficients, 1 … 65535, in the order of the coefficients.
            guides: further planes of 8·i × 8·j pixels minus 128.
        """
        n, p, _, i, j = quantised.shape
        step = tables[..., None, None]
        values = quantised * step
        decoded = to_planes(values)
        # A square root of the mean step is about how the error of decoded pixels grows.
        size = tables.mean(dim=(1, 2)).sqrt().view(n, 1, 1, 1) / 2
        table = self.table(tables.log2().mean(dim=1) / 4 - 1)

        pixels = decoded if guides is None else torch.cat([decoded, guides], dim=1)
        x: Tensor = self.pixels(F.pixel_unshuffle(pixels / SPREAD, FINE)) + self.phase.repeat(1, 1, i, j)
        for block in self.before:
            x = block(x, table)
        kept = torch.cat([quantised.clamp(-1, 1), values / SPREAD], dim=2).reshape(n, 128 * p, i, j)
        y: Tensor = self.down(F.pixel_unshuffle(x, 2)) + self.coefficients(kept)
        for block in self.middle:
            y = block(y, table)
        x = x + F.pixel_shuffle(self.up(y), 2)
        for block in self.after:
            x = block(x, table)
        change = F.pixel_shuffle(self.values(x), FINE) * size
        offsets: Tensor = self.steps(y).reshape(n, p, 64, i, j)
        return to_coefficients(change) / step + offsets


class Corrector(nn.Module):
    """Luma, and chroma guided by corrected luma."""

    def __init__(self) -> None:
        super().__init__()
        self.luma = PlaneCorrector(LUMA)
        self.chroma = PlaneCorrector(CHROMA)


def corrected(
    quantised: Float[Tensor, "n p 64 i j"],
    offsets: Float[Tensor, "n p 64 i j"],
    tables: Float[Tensor, "n p 64"],
    margin: Float[Tensor, "n p 64"] | float = 0.0,
) -> Float[Tensor, "n p h w"]:
    """Planes of pixels minus 128 from offsets, projected into the quantisation intervals.

    Args:
        quantised, tables: as in `PlaneCorrector`.
        offsets: from `PlaneCorrector`, in steps.
        margin: how far from the ends of the intervals to stay, in steps.
    """
    allowed = torch.as_tensor(HALF - margin).to(offsets)
    allowed = allowed[..., None, None] if allowed.ndim else allowed
    inside = torch.minimum(torch.maximum(offsets, -allowed), allowed)
    return to_planes((quantised + inside) * tables[..., None, None])


def guide_of(luma: Float[Tensor, "n 1 h w"], height: int, width: int) -> Float[Tensor, "n 1 a b"]:
    """Luma at the resolution of chroma planes of height × width pixels; its blocks may end elsewhere."""
    across, down = round(luma.shape[3] / width), round(luma.shape[2] / height)
    small = F.avg_pool2d(luma, (down, across)) if max(across, down) > 1 else luma
    missing = (0, max(0, width - small.shape[3]), 0, max(0, height - small.shape[2]))
    return F.pad(small, missing, mode="replicate")[:, :, :height, :width]
