"""Autoregressive prior of layered latents, in floating point (training and latent optimisation).

Each symbol of a layer is a discretised logistic whose mean and scale a small network reads from what
a decoder already has: the four causal neighbours (left, upper left, above, upper right) in all channels
of the same layer, the 3×3 neighbourhood in the next coarser layer, and the quantisation step. The
idea is the autoregressive module of Cool-Chic (Ladune et al. 2023, DOI 10.1109/ICCV51070.2023.01243),
shared by all images here instead of fitted to one. Coding uses the integer twin, `prior_integer.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.codecs.logistic import LOG_SCALE_MAX, LOG_SCALE_MIN
from vitiq.codecs.logistic_bits import logistic_bits

CLIP = 8.0
"""Neighbours are clipped to ±CLIP before the network reads them, which bounds its integer arithmetic."""

WIDTH = 64
"""Hidden units of a layer's network."""


class LayerPrior(nn.Module):
    """Mean and log-scale of every symbol of one layer from its causal context.

    Args:
        channels: channels of the layer.
        parent_channels: channels of the next coarser layer, 0 for the coarsest.
    """

    def __init__(self, channels: int, parent_channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.causal = nn.Conv2d(channels, WIDTH, 3, padding=1)
        mask = torch.zeros(3, 3)
        mask[0, :] = 1
        mask[1, 0] = 1
        self.mask: Tensor
        self.register_buffer("mask", mask, persistent=False)
        self.parent = nn.Conv2d(parent_channels, 4 * WIDTH, 3, padding=1) if parent_channels else None
        self.step = nn.Parameter(torch.zeros(WIDTH))
        self.hidden = nn.Conv2d(WIDTH, WIDTH, 1)
        self.out = nn.Conv2d(WIDTH, 2 * channels, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        symbols: Float[Tensor, "n c h w"],
        parent: Float[Tensor, "n p i j"] | None,
        log_step: Float[Tensor, "n 1 1 1"],
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Mean and log-scale, in units of the quantisation step."""
        x = F.conv2d(symbols.clamp(-CLIP, CLIP), self.causal.weight * self.mask, self.causal.bias, padding=1)
        if self.parent is not None and parent is not None:
            x = x + F.pixel_shuffle(self.parent(parent.clamp(-CLIP, CLIP)), 2)
        x = torch.relu(x + self.step[:, None, None] * log_step)
        x = torch.relu(self.hidden(x))
        mean, log_scale = self.out(x).chunk(2, dim=1)
        return mean, log_scale.clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)


class LatentPrior(nn.Module):
    """Priors of all layers, coarsest first."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        parents = [0, *channels[:-1]]
        self.layers = nn.ModuleList(LayerPrior(c, p) for c, p in zip(channels, parents, strict=True))

    def bits(
        self, symbols: Sequence[Float[Tensor, "n _ _ _"]], log_step: Float[Tensor, "n 1 1 1"]
    ) -> list[Float[Tensor, "n _ _ _"]]:
        """Bits of every symbol of every given layer; `symbols` are latents divided by the step."""
        result = []
        parent: Tensor | None = None
        for layer, values in zip(self.layers, symbols, strict=False):
            mean, log_scale = layer(values, parent, log_step)
            result.append(logistic_bits(values, mean, log_scale))
            parent = values
        return result
