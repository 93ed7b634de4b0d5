"""The generative codec's model: transforms, gains and prior, trained together and used apart."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.codecs.transform.hyperprior import Hyperprior
from vitiq.codecs.transform.networks.residual_dct import (
    ANALYSIS_BLOCKS,
    SYNTHESIS_BLOCKS,
    Analysis,
    Gains,
    Synthesis,
    powers,
)

LAMBDA_LOW, LAMBDA_HIGH = 2.5e-4, 1.5e-2
"""Weights of the squared error (0-255 scale) against bits per pixel at quality 0 and 1."""


class Coded(NamedTuple):
    """What a forward pass gives: images N×3×H×W in about [0, 1], and bits of each image."""

    rebuilt: Float[Tensor, "n 3 h w"]
    latent_bits: Float[Tensor, "n c"]
    hyper_bits: Float[Tensor, " n"]


def error_weight(t: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Lambda of quality t in [0, 1]."""
    return LAMBDA_LOW * torch.exp(t * math.log(LAMBDA_HIGH / LAMBDA_LOW))


def straight_through(x: Tensor) -> Tensor:
    """Rounded values with the gradient of the identity."""
    return x + (torch.round(x) - x).detach()


class TransformCodec(nn.Module):
    """Analysis, gains, hyperprior, synthesis.

    Args:
        analysis_blocks, synthesis_blocks: residual blocks, as `Analysis` and `Synthesis` take them.
    """

    def __init__(
        self,
        analysis_blocks: tuple[int, ...] = ANALYSIS_BLOCKS,
        synthesis_blocks: tuple[int, ...] = SYNTHESIS_BLOCKS,
    ) -> None:
        super().__init__()
        self.analysis = Analysis(analysis_blocks)
        self.gains = Gains()
        self.prior = Hyperprior()
        self.synthesis = Synthesis(blocks=synthesis_blocks)

    def forward(self, images: Float[Tensor, "n 3 h w"], t: Float[Tensor, " n"]) -> Coded:
        """Reconstruction and bits; noise for rounding in the bits, straight-through rounding elsewhere.

        In `eval` mode symbols are rounded everywhere. Sides must be multiples of 64.
        """
        quality = powers(t)
        gain = self.gains(quality)
        scaled = self.analysis(images, quality) * gain
        hyper = self.prior.analysis(scaled)
        with torch.autocast(images.device.type, enabled=False):
            symbols, hyper_symbols = straight_through(scaled), straight_through(hyper)
            if self.training:
                noisy = scaled + torch.rand_like(scaled) - 0.5
                hyper_noisy = hyper + torch.rand_like(hyper) - 0.5
            else:
                noisy, hyper_noisy = symbols, hyper_symbols
            latent_bits = self.prior.bits(noisy, symbols, hyper_symbols, quality)
            hyper_bits = self.prior.hyper_bits(hyper_noisy, quality)
        return Coded(self.synthesis(symbols / gain, quality), latent_bits, hyper_bits)
