"""The embedded generator's networks: a top-down synthesis with a latent layer a resolution, and its encoder.

Layer 0 (8×8×8 = 512 numbers at 512×512) alone is the thesis's single latent; layers 1 and 2 add what it
cannot hold, at strides 32 and 16. The encoder reads the synthesis's state before it chooses a layer, so
each layer holds only what the coarser ones left over (as in ladder variational autoencoders, Sønderby et
al. 2016, arXiv 1602.02282, and QARV, Duan et al. 2023, DOI 10.1109/TPAMI.2023.3322904).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

CHANNELS = (8, 12, 16)
"""Latent channels at strides 64, 32 and 16."""

STRIDES = (64, 32, 16)
WIDTHS = (192, 160, 128)
DEPTHS = (2, 3, 3)
"""Widths of the synthesis's states, and its residual blocks, at the strides of the latents."""

DETAIL = 64
DETAIL_DEPTH = 2
"""The same at stride 8."""

ENCODER_WIDTHS = (96, 128, 160, 192)
ENCODER_DEPTHS = (1, 2, 2, 2)
"""The same of the encoder, at strides 8, 16, 32 and 64."""

GAIN = 8.0
"""Scale of the encoder's outputs, so that latents start above the quantiser's noise."""


def zero(conv: nn.Conv2d) -> None:
    """Let a convolution start as nothing."""
    for parameter in conv.parameters():
        nn.init.zeros_(parameter)


class Residual(nn.Module):
    """x + conv(act(conv(x))), starting as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        zero(self.second)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        change: Tensor = self.second(F.leaky_relu(self.first(x), 0.1))
        return x + change


def residuals(width: int, depth: int) -> nn.Sequential:
    """A few residual blocks, one after the other."""
    return nn.Sequential(*(Residual(width) for _ in range(depth)))


class Up(nn.Module):
    """Twice the resolution by sub-pixel convolution."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, 4 * width_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """N×in×h×w -> N×out×2h×2w."""
        return F.pixel_shuffle(F.leaky_relu(self.conv(x), 0.1), 2)


class Synthesis(nn.Module):
    """Latent layers -> image, N×3×64h×64w in about [0, 1] for a coarsest layer of h×w."""

    def __init__(self) -> None:
        super().__init__()
        w = WIDTHS
        self.reads = nn.ModuleList(nn.Conv2d(c, n, 3, padding=1) for c, n in zip(CHANNELS, w, strict=True))
        self.blocks = nn.ModuleList(residuals(n, depth) for n, depth in zip(w, DEPTHS, strict=True))
        self.ups = nn.ModuleList([Up(w[0], w[1]), Up(w[1], w[2]), Up(w[2], DETAIL), Up(DETAIL, 32)])
        self.detail = residuals(DETAIL, DETAIL_DEPTH)
        self.to_base = nn.Conv2d(w[2], 3, 1)
        self.to_rgb = nn.Conv2d(32, 3 * 16, 3, padding=1)
        zero(self.to_rgb)

    def stage(self, index: int, state: Tensor | None, latent: Tensor) -> Tensor:
        """State after layer `index` has been read, at that layer's resolution."""
        read = self.reads[index](latent)
        state = read if state is None else state + read
        result: Tensor = self.blocks[index](F.leaky_relu(state, 0.1))
        return result

    def output(self, state: Tensor) -> Float[Tensor, "n 3 h w"]:
        """Image from the state after the finest layer (stride 16)."""
        base = F.interpolate(self.to_base(state).float(), scale_factor=16, mode="bilinear", align_corners=False)
        x = self.detail(self.ups[2](state))
        fine = F.pixel_shuffle(self.to_rgb(self.ups[3](x)), 4)
        return base + fine.float() + 0.5

    def forward(self, latents: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n 3 rh rw"]:
        """All layers, coarsest first -> image."""
        state = self.stage(0, None, latents[0])
        for index in (1, 2):
            state = self.stage(index, self.ups[index - 1](state), latents[index])
        return self.output(state)


class Encoder(nn.Module):
    """Image -> latent layers, each chosen with sight of the synthesis's state so far."""

    def __init__(self) -> None:
        super().__init__()
        w = ENCODER_WIDTHS
        self.patch = nn.Conv2d(3 * 64, w[0], 1)
        self.blocks = nn.ModuleList(residuals(n, depth) for n, depth in zip(w, ENCODER_DEPTHS, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(w))
        self.heads = nn.ModuleList(
            [
                nn.Conv2d(w[3], CHANNELS[0], 1),
                nn.Sequential(
                    nn.Conv2d(w[2] + WIDTHS[1], 128, 3, padding=1),
                    nn.LeakyReLU(0.1),
                    nn.Conv2d(128, CHANNELS[1], 1),
                ),
                nn.Sequential(
                    nn.Conv2d(w[1] + WIDTHS[2], 128, 3, padding=1),
                    nn.LeakyReLU(0.1),
                    nn.Conv2d(128, CHANNELS[2], 1),
                ),
            ]
        )

    def features(self, target: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """Features at strides 64, 32, 16."""
        x = self.patch(F.pixel_unshuffle(target - 0.5, 8))
        states = []
        x = self.blocks[0](x)
        for down, block in zip(self.downs, self.blocks[1:], strict=True):
            x = block(F.leaky_relu(down(x), 0.1))
            states.append(x)
        return states[::-1]


def encode_layers(
    encoder: Encoder,
    synthesis: Synthesis,
    target: Float[Tensor, "n 3 h w"],
    quantise: Callable[[int, Tensor], Tensor],
) -> tuple[list[Tensor], Float[Tensor, "n 3 h w"]]:
    """Latents of `target`, and the image they give.

    Args:
        quantise: (layer, latents) -> quantised latents, float32; what the synthesis reads.

    Returns:
        the quantised latents, coarsest first, and the reconstruction.
    """
    features = encoder.features(target)
    latents = [quantise(0, GAIN * encoder.heads[0](features[0]).float())]
    state = synthesis.stage(0, None, latents[0])
    for index in (1, 2):
        state = synthesis.ups[index - 1](state)
        seen = torch.cat([features[index], state], dim=1)
        latents.append(quantise(index, GAIN * encoder.heads[index](seen).float()))
        state = synthesis.stage(index, state, latents[index])
    return latents, synthesis.output(state)
