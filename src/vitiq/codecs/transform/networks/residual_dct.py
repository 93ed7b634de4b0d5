"""Analysis and synthesis transforms: a block DCT with convolutional residuals that start as nothing.

Both are conditioned on the quality, so that one model serves all rates: a quality t in [0, 1] scales and shifts the
features of each residual block (FiLM, Perez et al. 2018, arXiv 1709.07871), and gain units scale the latents
before rounding (Cui et al. 2021, DOI 10.1109/CVPR46437.2021.01039).
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.codecs.transform.networks.block_dct import BLOCK, CHANNELS, basis
from vitiq.models.strips import NO_MARGINS, Each, Margins, at_once, cropped, left_over

WIDE, MIDDLE, FINE = 224, 128, 48
"""Feature channels at strides 16, 8 and 4."""

ANALYSIS_BLOCKS, SYNTHESIS_BLOCKS = (2, 4), (2, 3, 4)
"""Residual blocks at strides 16 and 8, and at 16, 8 and 4, where nothing else is said."""

LEVEL = 128.0
"""Images are read as value - LEVEL on the 0-255 scale, features as that / SPREAD."""

SPREAD = 64.0
STEP_COARSE, STEP_FINE = 130.0, 20.0
"""Quantisation steps that the gains start from, at quality 0 and 1."""


def powers(t: Float[Tensor, " n"]) -> Float[Tensor, "n 3"]:
    """1, t, t²: what the conditioned layers read."""
    return torch.stack([torch.ones_like(t), t, t * t], dim=1)


def reach(blocks: int, fineness: int, before: int = 0) -> int:
    """Latents on each side that residual blocks reach.

    Args:
        blocks: their number; each is two convolutions of 3×3.
        fineness: features along a latent.
        before: features on each side that what follows them reaches.
    """
    return -(-(2 * blocks + before) // fineness)


def zero(*layers: nn.Conv2d | nn.Linear) -> None:
    """Let layers start as nothing."""
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)


def exactly(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer in float32 within mixed precision: bfloat16 holds 1 part in 256, which of a bright block is more
    than a quantisation step."""
    device = x.device.type
    mixed = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    with torch.autocast(device, enabled=False) if mixed else nullcontext():
        found: Tensor = layer(x.float() if mixed else x)
    return found


class Residual(nn.Module):
    """x + conv(act(film(conv(x)))), starting as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(3, 2 * width, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        zero(self.film, self.second)

    def forward(self, x: Float[Tensor, "n c h w"], quality: Float[Tensor, "n 3"]) -> Float[Tensor, "n c h w"]:
        """Same shape as `x`; `quality` from `powers`."""
        scale, shift = self.film(quality)[:, :, None, None].chunk(2, dim=1)
        change: Tensor = self.second(F.leaky_relu(self.first(x) * (1 + scale) + shift, 0.1))
        return x + change


class Gains(nn.Module):
    """Scale of each latent channel before rounding: exp of a parabola in t."""

    def __init__(self) -> None:
        super().__init__()
        slope = math.log(STEP_COARSE / STEP_FINE)
        start = torch.tensor([-math.log(STEP_COARSE), slope, 0.0])
        self.curves = nn.Parameter(start[:, None].repeat(1, CHANNELS))

    def forward(self, quality: Float[Tensor, "n 3"]) -> Float[Tensor, "n c 1 1"]:
        """Gain of every channel."""
        return torch.exp(quality @ self.curves)[:, :, None, None]


class Analysis(nn.Module):
    """Image -> latents y before gain and rounding.

    Args:
        blocks: residual blocks at strides 16 and 8.

    Attributes:
        blocks: as given.
        halo: latents on each side that a latent is made of.
    """

    def __init__(self, blocks: tuple[int, ...] = ANALYSIS_BLOCKS) -> None:
        super().__init__()
        self.blocks = wide, middle = blocks
        self._middle_reach = reach(middle, 2)
        self.halo = self._middle_reach + reach(wide, 1)
        self.linear = nn.Conv2d(3, CHANNELS, BLOCK, stride=BLOCK, bias=False)
        self.linear.weight.data.copy_(basis())
        self.stem = nn.Conv2d(3 * 64, MIDDLE, 1)
        self.middle = nn.ModuleList(Residual(MIDDLE) for _ in range(middle))
        self.down = nn.Conv2d(MIDDLE, WIDE, 2, stride=2)
        self.wide = nn.ModuleList(Residual(WIDE) for _ in range(wide))
        self.out = nn.Conv2d(WIDE, CHANNELS, 1)
        zero(self.out)

    def forward(
        self, images: Float[Tensor, "n 3 h w"], quality: Float[Tensor, "n 3"], margins: Margins = NO_MARGINS
    ) -> Float[Tensor, "n c i j"]:
        """Latents of images in [0, 1] whose sides are multiples of 16, on the scale of DCT coefficients.

        Args:
            margins: of a tile of an image, in latents, up to `halo`; the result has none.
        """
        centred = images * 255 - LEVEL
        x = self.stem(F.pixel_unshuffle(centred / SPREAD, 8))
        for block in self.middle:
            x = block(x, quality)
        x = cropped(x, margins, self._middle_reach, 2)
        x = self.down(x)
        left = left_over(margins, self._middle_reach)
        for block in self.wide:
            x = block(x, quality)
        x = cropped(x, left, self.halo)
        base = exactly(self.linear, cropped(centred, margins, self.halo, BLOCK))
        latents: Tensor = base + SPREAD * self.out(x).float()
        return latents


class Synthesis(nn.Module):
    """Dequantised latents -> image.

    Args:
        features: channels of the classifier's features that are aggregated (Bai et al. 2022, arXiv 2112.09300), at
            first as nothing; 0 for a synthesis without.
        blocks: residual blocks at strides 16, 8 and 4.

    Attributes:
        blocks: as given.
        halo: latents on each side that a pixel is made of.
    """

    def __init__(self, features: int = 0, blocks: tuple[int, ...] = SYNTHESIS_BLOCKS) -> None:
        super().__init__()
        self.blocks = wide, middle, fine = blocks
        self._reaches = reach(wide, 1), reach(middle, 2), reach(fine, 4, before=1)
        self.halo = sum(self._reaches)
        if features:
            self.aggregate = nn.Conv2d(features, WIDE, 1)
            zero(self.aggregate)
        self.linear = nn.ConvTranspose2d(CHANNELS, 3, BLOCK, stride=BLOCK, bias=False)
        self.linear.weight.data.copy_(basis())
        self.stem = nn.Conv2d(CHANNELS, WIDE, 1)
        self.wide = nn.ModuleList(Residual(WIDE) for _ in range(wide))
        self.to_middle = nn.Conv2d(WIDE, 4 * MIDDLE, 1)
        self.base_middle = nn.Conv2d(3 * 64, MIDDLE, 1)
        self.middle = nn.ModuleList(Residual(MIDDLE) for _ in range(middle))
        self.to_fine = nn.Conv2d(MIDDLE, 4 * FINE, 1)
        self.base_fine = nn.Conv2d(3 * 16, FINE, 1)
        self.fine = nn.ModuleList(Residual(FINE) for _ in range(fine))
        self.out = nn.Conv2d(FINE, 3 * 16, 3, padding=1)
        zero(self.out)

    def forward(
        self,
        latents: Float[Tensor, "n c h w"],
        quality: Float[Tensor, "n 3"],
        features: Float[Tensor, "n f g g"] | None = None,
    ) -> Float[Tensor, "n 3 16*h 16*w"]:
        """Images in about [0, 1], not clipped; `features` of the whole image, for a synthesis that aggregates."""
        aggregated = None if features is None else self.aggregated(features, latents.shape[2], latents.shape[3])
        return self.rebuilt(latents, quality, aggregated)

    def aggregated(self, features: Float[Tensor, "n f g g"], height: int, width: int) -> Float[Tensor, "n c h w"]:
        """What features of a whole image add at its height × width latents."""
        return F.interpolate(self.aggregate(features), (height, width), mode="bilinear", align_corners=False)

    def rebuilt(
        self,
        latents: Float[Tensor, "n c h w"],
        quality: Float[Tensor, "n 3"],
        aggregated: Float[Tensor, "n k h w"] | None,
        margins: Margins = NO_MARGINS,
        *,
        each: Each = at_once,
    ) -> Float[Tensor, "n 3 i j"]:
        """As `forward`, with the aggregated features of these latents.

        Args:
            margins: of a tile of an image, in latents, up to `halo`; the result has none.
            each: runs each step; for `by_strips`, margins must be none.
        """
        wide_reach, middle_reach, fine_reach = self._reaches
        x = each(lambda y: self.stem(y / SPREAD), latents)
        for block in self.wide:
            x = each(partial(block, quality=quality), x, reach=2)
        if aggregated is not None:
            x = x + aggregated
        x = cropped(x, margins, wide_reach)
        left = left_over(margins, wide_reach)
        base = each(partial(exactly, self.linear), cropped(latents, margins, wide_reach))
        x = each(self._to_middle, x, base)
        for block in self.middle:
            x = each(partial(block, quality=quality), x, reach=2)
        x, base = cropped(x, left, middle_reach, 2), cropped(base, left, middle_reach, BLOCK)
        left = left_over(left, middle_reach)
        x = each(self._to_fine, x, base)
        for block in self.fine:
            x = each(partial(block, quality=quality), x, reach=2)
        rebuilt = each(self._to_pixels, x, base, reach=1)
        return torch.div(cropped(rebuilt, left, fine_reach, BLOCK) + LEVEL, 255)

    def _to_middle(self, x: Float[Tensor, "n c h w"], base: Float[Tensor, "n 3 i j"]) -> Float[Tensor, "n d 2*h 2*w"]:
        found: Tensor = F.pixel_shuffle(self.to_middle(x), 2) + self.base_middle(F.pixel_unshuffle(base / SPREAD, 8))
        return found

    def _to_fine(self, x: Float[Tensor, "n c h w"], base: Float[Tensor, "n 3 i j"]) -> Float[Tensor, "n d 2*h 2*w"]:
        found: Tensor = F.pixel_shuffle(self.to_fine(x), 2) + self.base_fine(F.pixel_unshuffle(base / SPREAD, 4))
        return found

    def _to_pixels(self, x: Float[Tensor, "n c h w"], base: Float[Tensor, "n 3 i j"]) -> Float[Tensor, "n 3 i j"]:
        return base + SPREAD * F.pixel_shuffle(self.out(x), 4).float()
